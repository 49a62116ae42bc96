// The report of a batch: sorting, filtering, turntables under the pointer; while the batch runs, it is read again.
"use strict";

(() => {
  const AGAIN = 10_000; // milliseconds
  const main = document.querySelector("main");
  const body = main.querySelector("tbody");
  const rows = Array.from(body.rows);
  const heads = Array.from(main.querySelectorAll("th[data-column]"));
  const find = document.getElementById("text");
  const state = document.getElementById("state");
  const compare = new Intl.Collator(undefined, { numeric: true }).compare;
  let sorted = { column: -1, down: false };

  // Numbers as numbers, texts as people do; what is unknown comes last either way.
  function sort(column, down) {
    sorted = { column, down };
    const keyed = rows.map((row, place) => ({ row, place, value: row.cells[column].dataset.value }));
    const numbers = keyed.every(({ value }) => !Number.isNaN(Number(value)));
    keyed.sort((a, b) => {
      if (a.value === "" || b.value === "") return (a.value === "") - (b.value === "") || a.place - b.place;
      const order = numbers ? a.value - b.value : compare(a.value, b.value);
      return (down ? -order : order) || a.place - b.place;
    });
    body.append(...keyed.map(({ row }) => row));
    for (const head of heads) {
      if (Number(head.dataset.column) !== column) head.removeAttribute("aria-sort");
      else head.setAttribute("aria-sort", down ? "descending" : "ascending");
    }
  }

  function filter() {
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const content = row.textContent.toLowerCase();
      row.hidden = !((!state.value || row.dataset.state === state.value) && words.every((word) => content.includes(word)));
      shown += !row.hidden;
    }
    const all = rows.length === 1 ? "1 asset" : `${rows.length} assets`;
    document.getElementById("shown").textContent = shown === rows.length ? all : `${shown} of ${all}`;
  }

  // What is chosen lies in the address: it outlives a reload, and can be passed on.
  function remember() {
    const chosen = new URLSearchParams();
    if (sorted.column >= 0) chosen.set("sort", (sorted.down ? "-" : "") + sorted.column);
    if (find.value) chosen.set("find", find.value);
    if (state.value) chosen.set("state", state.value);
    history.replaceState(null, "", `#${chosen}`);
  }

  function recall() {
    const chosen = new URLSearchParams(location.hash.slice(1));
    find.value = chosen.get("find") ?? "";
    state.value = chosen.get("state") ?? "";
    if (state.selectedIndex < 0) state.value = "";
    const column = Math.abs(Number(chosen.get("sort")));
    if (heads.some((head) => head.dataset.column === String(column))) sort(column, chosen.get("sort").startsWith("-"));
    filter();
  }

  function turning(link) {
    const picture = link.querySelector("img");
    const still = picture.getAttribute("src");
    const show = (source) => () => { picture.src = source; };
    for (const event of ["mouseenter", "focus"]) link.addEventListener(event, show(link.dataset.turntable));
    for (const event of ["mouseleave", "blur"]) link.addEventListener(event, show(still));
  }

  for (const head of heads) {
    head.querySelector("button").addEventListener("click", () => {
      const column = Number(head.dataset.column);
      sort(column, sorted.column === column && !sorted.down);
      remember();
    });
  }
  for (const control of [find, state]) {
    control.addEventListener("input", () => { filter(); remember(); });
  }
  document.getElementById("controls").addEventListener("submit", (event) => event.preventDefault());
  document.getElementById("controls").hidden = false;
  document.querySelectorAll(".turns").forEach(turning);
  window.addEventListener("beforeprint", () => {
    for (const picture of document.images) picture.loading = "eager";
  });
  recall();
  if ("live" in main.dataset) {
    setInterval(() => {
      if (!document.hidden && document.activeElement === document.body) location.reload();
    }, AGAIN);
  }
})();
