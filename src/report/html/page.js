"use strict";
(() => {
  const places = new Map();
  const tokens = (element) => element.dataset.v.split(" ").filter((t) => t);
  for (const element of document.querySelectorAll("[data-v]")) {
    for (const token of tokens(element)) {
      if (!places.has(token)) places.set(token, []);
      places.get(token).push(element);
    }
  }
  let lit = [];
  let pinned = null;
  const light = (element) => {
    for (const old of lit) old.classList.remove("lit");
    lit = element ? tokens(element).flatMap((token) => places.get(token)) : [];
    for (const now of lit) now.classList.add("lit");
  };
  // Brings what is lit up into sight where it lies in another scrolling part of the page.
  const reveal = (source) => {
    const home = source.closest(".pane, .scroll");
    const seen = new Set([home]);
    for (const element of lit) {
      const pane = element.closest(".pane, .scroll");
      if (!pane || seen.has(pane) || !element.getClientRects().length) continue;
      seen.add(pane);
      const [a, b] = [element.getBoundingClientRect(), pane.getBoundingClientRect()];
      if (a.top < b.top || a.bottom > b.bottom) pane.scrollTop += a.top - b.top - b.height / 3;
      if (a.left < b.left || a.right > b.right) pane.scrollLeft += a.left - b.left - b.width / 3;
    }
  };
  const tip = document.getElementById("tip");
  const tell = (event, text) => {
    tip.textContent = text;
    tip.style.display = text ? "block" : "none";
    const left = Math.min(event.clientX + 12, innerWidth - tip.offsetWidth - 8);
    tip.style.left = Math.max(left, 8) + "px";
    tip.style.top = event.clientY + 16 + "px";
  };
  const size = (n) => {
    const units = ["", "k", "M", "G", "T", "P"];
    let unit = 0;
    while (n >= 999.5 && unit + 1 < units.length) { n /= 1000; unit += 1; }
    return Number(n.toPrecision(3)) + " " + units[unit] + "B";
  };
  const cell = (event, map) => {
    const side = Number(map.dataset.side), each = Number(map.dataset.each);
    const box = map.getBoundingClientRect();
    const at = (x, from, length) => Math.min(side - 1, Math.max(0, Math.floor((x - from) / length * side)));
    const to = at(event.clientX, box.left, box.width), from = at(event.clientY, box.top, box.height);
    const bytes = (map.bytes ??= map.dataset.bytes.split(",").map(Number))[from * side + to];
    const name = (k) => each > 1 ? `ranks ${k * each} to ${k * each + each - 1}` : `rank ${k}`;
    return `${name(from)} to ${name(to)}: ${bytes ? size(bytes) : "nothing"}`;
  };
  document.addEventListener("mousemove", (event) => {
    const target = event.target instanceof Element ? event.target : null;
    const element = target && target.closest("[data-v]");
    if (!pinned) light(element);
    const map = target && target.closest("[data-bytes]");
    const text = map ? cell(event, map) : target && target.dataset ? target.dataset.t || "" : "";
    tell(event, text);
  });
  document.addEventListener("click", (event) => {
    const element = event.target.closest("[data-v]");
    if (event.target.closest("summary, a, label") || (!element && !pinned)) return;
    pinned = element === pinned ? null : element;
    light(pinned);
    if (pinned) reveal(pinned);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { pinned = null; light(null); }
  });
  // The plan begins where the graph that is open does.
  const open = document.querySelector(".graphs details[open] summary");
  const text = document.querySelector("#plan pre");
  for (const line of text.querySelectorAll(".block")) {
    if (open && line.textContent.trim() === "block " + open.textContent) {
      text.parentElement.scrollTop = line.offsetTop - text.offsetTop;
    }
  }
  // Times are stretched, letters are not.
  const zoom = document.getElementById("zoom");
  const time = document.querySelector("svg.time");
  if (zoom && time) {
    const left = Number(time.dataset.left), wide = Number(time.dataset.wide);
    const [, , full, height] = time.getAttribute("viewBox").split(" ").map(Number);
    const moved = [...time.querySelectorAll("rect, line, text[text-anchor=middle]")];
    const was = moved.map((element) => ["x", "x1", "x2", "width"]
      .filter((name) => element.hasAttribute(name))
      .map((name) => [name, Number(element.getAttribute(name))]));
    zoom.addEventListener("input", () => {
      const by = 2 ** Number(zoom.value), now = full + wide * (by - 1);
      const middle = (time.parentElement.scrollLeft + time.parentElement.clientWidth / 2) / time.clientWidth;
      was.forEach((values, k) => values.forEach(([name, value]) => {
        moved[k].setAttribute(name, name === "width" ? value * by : left + (value - left) * by);
      }));
      time.setAttribute("viewBox", `0 0 ${now} ${height}`);
      time.style.width = 100 * now / full + "%";
      time.parentElement.scrollLeft = middle * time.clientWidth - time.parentElement.clientWidth / 2;
    });
  }
  const changes = document.getElementById("changes");
  changes.addEventListener("change", () => document.body.classList.toggle("changes", changes.checked));
})();
