"use strict";
// Every page works without this. With it, what a control changes is fetched and put in place, and fields suggest.
document.documentElement.classList.add("js");

const live = document.getElementById("live");
const said = document.getElementById("said");
const places = () => new Map([...document.querySelectorAll("#live .lead-list [data-item]")].map((row, at) => [row.dataset.item, at]));
let turn = 0;

const changes = (before, after) => {
  const fresh = [...after.keys()].filter((item) => !before.has(item)).length;
  const moved = [...after].filter(([item, at]) => before.has(item) && before.get(item) !== at).length;
  return fresh + moved ? `The list has changed: ${fresh} new, ${moved} moved.` : "The list is as it was.";
};

const show = async (url) => {
  const mine = ++turn;
  live.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(url, { credentials: "same-origin", headers: { Accept: "text/html" } });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (mine !== turn) return;  // a later change is on its way
    const fresh = page.getElementById("live");
    if (!fresh) return location.assign(url);
    const before = places();
    live.replaceChildren(...fresh.childNodes);
    history.replaceState(null, "", url);
    if (said) said.textContent = changes(before, places());
    wide();
  } catch {
    if (mine === turn) location.assign(url);
  } finally {
    live.removeAttribute("aria-busy");
  }
};

const form = document.querySelector("form[data-live]");
if (form && live) {
  const address = () => {
    const filled = [...new FormData(form)].filter(([, value]) => value !== "");
    return `${form.getAttribute("action")}?${new URLSearchParams(filled)}`;
  };
  let timer = 0;
  const soon = (wait) => {
    clearTimeout(timer);
    timer = setTimeout(() => show(address()), wait);
  };
  form.addEventListener("input", (event) => {
    const beside = event.target.closest("label")?.querySelector("output");
    if (beside) beside.textContent = Number(event.target.value).toFixed(2);
    if (event.target.matches("[type=range], [type=number]")) soon(120);
    else if (event.target.matches("textarea")) soon(600);
  });
  form.addEventListener("change", () => soon(0));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    soon(0);
  });
  document.addEventListener("click", (event) => {  // links that change this page stay on it
    const link = event.target.closest("a[data-live]");
    if (!link || event.metaKey || event.ctrlKey || event.shiftKey) return;
    const box = form.elements.history;
    if (!box) return;
    event.preventDefault();
    box.value = [box.value.trim(), link.dataset.live].filter(Boolean).join("\n");
    soon(0);
  });
}

// A field that suggests asks what there is once typing rests.
document.querySelectorAll("input[data-suggest]").forEach((field) => {
  const list = document.getElementById(field.getAttribute("list"));
  let timer = 0;
  field.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(async () => {
      if (field.value.trim().length < 2) return list.replaceChildren();
      try {
        const answer = await fetch(`/search?${new URLSearchParams({ q: field.value, as: "json" })}`, { credentials: "same-origin" });
        const found = (await answer.json())[field.dataset.suggest] || [];
        list.replaceChildren(...found.map((one) => new Option(one.title || one.told || one.id, one.id)));
      } catch {
        list.replaceChildren();
      }
    }, 200);
  });
});

// What is wider than the page says that it goes on.
const wide = () => document.querySelectorAll(".scroll").forEach((each) => each.classList.toggle("more", each.scrollWidth > each.clientWidth + 4));
addEventListener("resize", wide);
document.addEventListener("toggle", wide, true);
wide();
