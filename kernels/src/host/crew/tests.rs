use super::*;
use std::sync::atomic::AtomicU64;
use std::thread::sleep;
use std::time::Duration;

fn crew(threads: usize) -> Arc<Crew> {
    Arc::new(Crew::new(threads, true).unwrap().sharing_from(1))
}

#[test]
fn every_hand_has_its_part() {
    for (n, unit) in [(0, 1), (1, 4), (7, 1), (40, 16), (41, 8)] {
        for hands in 1..6 {
            let parts: Vec<_> = (0..hands).map(|hand| part(n, unit, hands, hand)).collect();
            assert_eq!((parts[0].start, parts[hands - 1].end), (0, n));
            assert!(parts.windows(2).all(|two| two[0].end == two[1].start));
            let whole = |p: &Range<usize>| p.start.is_multiple_of(unit) || p.start == n;
            assert!(parts.iter().all(whole), "{parts:?}");
        }
    }
}

#[test]
fn work_is_done_once_by_all_hands() {
    for threads in 1..5 {
        let crew = crew(threads);
        let _entered = crew.enter();
        assert_eq!((super::threads(), hands(100), hands(1)), (threads, threads, 1));
        let mut counts = vec![0_u64; 1000];
        for round in 0..2000 {
            over(1000, 8, &mut counts, |_, some| some.iter_mut().for_each(|count| *count += 1));
            if round % 500 == 0 {
                sleep(Duration::from_millis(3));
            }
        }
        assert!(counts.iter().all(|&count| count == 2000));
        let mut slots = vec![0; threads];
        with(&mut slots, |hand, slot| *slot = hand + 1);
        assert_eq!(slots, (1..=threads).collect::<Vec<_>>());
    }
}

#[test]
fn a_crew_without_cores_of_its_own_sleeps_and_works() {
    let crew = Arc::new(Crew::new(3, false).unwrap().sharing_from(1));
    let _entered = crew.enter();
    let sum = AtomicU64::new(0);
    for _ in 0..300 {
        each(3, |hand| _ = sum.fetch_add(hand as u64, SeqCst));
    }
    assert_eq!(sum.into_inner(), 900);
}

#[test]
fn shared_work_is_not_shared_again() {
    let crew = crew(3);
    let _entered = crew.enter();
    each(3, |_| assert_eq!((hands(1 << 30), super::threads()), (1, 1)));
    assert_eq!(hands(1 << 30), 3);
}

#[test]
fn a_panic_of_any_hand_is_that_of_the_rank() {
    let crew = crew(3);
    for failing in 0..3 {
        let _entered = crew.enter();
        let body = |hand| assert!(hand != failing, "hand {hand} has failed");
        let panic = catch_unwind(AssertUnwindSafe(|| each(3, body))).unwrap_err();
        assert_eq!(panic.downcast_ref::<String>(), Some(&format!("hand {failing} has failed")));
        assert_eq!(super::threads(), 3, "the crew goes on");
        each(3, |_| ());
    }
    assert_eq!(super::threads(), 1);
}

#[test]
fn a_crew_is_entered_again_within_itself_and_then_by_others() {
    let crew = crew(2);
    let outer = crew.enter();
    drop(crew.enter());
    for _ in 0..3 {
        each(2, |hand| sleep(Duration::from_millis(hand as u64)));
    }
    drop(outer);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let _entered = crew.enter();
            each(2, |hand| sleep(Duration::from_millis(hand as u64)));
        });
    });
}
