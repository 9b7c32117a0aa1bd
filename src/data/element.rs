//! The four Rust types that an element can have.

use super::{Elements, Tile, TileMut};
use crate::Dtype;
use num_complex::Complex;

mod sealed {
    pub trait Sealed {}
}

/// A type of element: `f32`, `f64`, `Complex<f32>` or `Complex<f64>`.
pub trait Element: sealed::Sealed + bytemuck::Pod + PartialEq + Send + Sync {
    /// Its name at run time.
    const DTYPE: Dtype;
    /// Owns a vector as a buffer of any type.
    fn wrap(values: Vec<Self>) -> Elements;
    /// The vector in a buffer, or the buffer itself if it holds another type.
    fn unwrap(elements: Elements) -> Result<Vec<Self>, Elements>;
    /// Borrows values as a tile.
    fn tile(values: &[Self]) -> Tile<'_>;
    /// Borrows values as a tile to fill.
    fn tile_mut(values: &mut [Self]) -> TileMut<'_>;
    /// The values of a tile, if it holds this type.
    fn slice(tile: Tile<'_>) -> Option<&[Self]>;
    /// The value in the widest type, exactly.
    fn widest(self) -> Complex<f64>;
    /// Rounds from the widest type; a real type takes the real part.
    fn from_widest(value: Complex<f64>) -> Self;
}

macro_rules! element {
    ($type:ty, $variant:ident, $x:ident => $widest:expr, $w:ident => $from:expr) => {
        impl sealed::Sealed for $type {}
        impl Element for $type {
            const DTYPE: Dtype = Dtype::$variant;

            fn wrap(values: Vec<Self>) -> Elements {
                Elements::$variant(values)
            }

            fn unwrap(elements: Elements) -> Result<Vec<Self>, Elements> {
                if let Elements::$variant(values) = elements { Ok(values) } else { Err(elements) }
            }

            fn tile(values: &[Self]) -> Tile<'_> {
                Tile::$variant(values)
            }

            fn tile_mut(values: &mut [Self]) -> TileMut<'_> {
                TileMut::$variant(values)
            }

            fn slice(tile: Tile<'_>) -> Option<&[Self]> {
                if let Tile::$variant(values) = tile { Some(values) } else { None }
            }

            fn widest(self) -> Complex<f64> {
                let $x = self;
                $widest
            }

            fn from_widest($w: Complex<f64>) -> Self {
                $from
            }
        }
    };
}

element!(f32, F32, x => Complex::new(f64::from(x), 0.0), w => w.re as f32);
element!(f64, F64, x => Complex::new(x, 0.0), w => w.re);
element!(
    Complex<f32>, C64,
    x => Complex::new(f64::from(x.re), f64::from(x.im)),
    w => Complex::new(w.re as f32, w.im as f32)
);
element!(Complex<f64>, C128, x => x, w => w);
