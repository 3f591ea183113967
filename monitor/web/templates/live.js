// Pages work without this. With it they follow what happens: a small word is asked for every few
// seconds while the page can be seen, and when it has changed the parts marked `data-live` are
// replaced. Nobody who types, or has opened a form, is disturbed.
"use strict";
(() => {
  const PULSE_MS = 10000, ANEW_MS = 60000, TYPED_MS = 250;
  const root = document.body.dataset.root;
  const live = () => [...document.querySelectorAll("[data-live]")];
  const bare = (html) => html.replace(/name="once" value="[^"]*"/g, "");

  function isBusy(part) {
    const here = document.activeElement;
    const types = here && part.contains(here) && here.matches("input, select, textarea");
    return types || part.querySelector("details.deed[open]") || part.querySelector("input:checked[name=check]");
  }

  // Focus stays on the link that had it; what was unfolded stays so.
  function replace(part, fresh) {
    if (bare(part.innerHTML) === bare(fresh.innerHTML)) return;
    const here = document.activeElement;
    const link = here && part.contains(here) ? here.getAttribute("href") : null;
    const open = [...part.querySelectorAll("details")].map((d) => d.open);
    part.replaceChildren(...fresh.childNodes);
    part.querySelectorAll("details").forEach((d, i) => { d.open = !!open[i]; });
    if (link) part.querySelector(`a[href="${CSS.escape(link)}"]`)?.focus();
  }

  async function follow(address, only) {
    const answer = await fetch(address, { credentials: "same-origin" });
    if (!answer.ok || answer.redirected) return false;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of live()) {
      const fresh = page.getElementById(part.id);
      if (fresh && (!only || part.id === only) && !isBusy(part)) replace(part, fresh);
    }
    if (!only) document.title = page.title;
    return true;
  }

  let word = null, shown = Date.now();
  async function beat() {
    if (document.hidden || !live().length) return;
    try {
      const answer = await fetch(`${root}/pulse`, { credentials: "same-origin" });
      if (!answer.ok || answer.redirected) return;
      const now = await answer.text();
      const news = word !== null && now !== word;
      if (news || Date.now() - shown > ANEW_MS) {
        if (await follow(location.href)) shown = Date.now();
      }
      word = now;
    } catch { /* the service is away; the next beat asks again */ }
  }
  setInterval(beat, PULSE_MS);
  document.addEventListener("visibilitychange", beat);
  beat();

  // A list is filtered while one types.
  for (const form of document.querySelectorAll("form[data-filter]")) {
    let waits = 0, asked = 0;
    const filter = async () => {
      const turn = ++asked;
      const query = new URLSearchParams(new FormData(form));
      for (const [name, value] of [...query]) if (!value) query.delete(name);
      const address = `${form.getAttribute("action")}${query.size ? `?${query}` : ""}`;
      try {
        const answer = await fetch(address, { credentials: "same-origin" });
        if (!answer.ok || answer.redirected || turn !== asked) return;
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        const part = document.getElementById(form.dataset.filter);
        const fresh = page.getElementById(form.dataset.filter);
        if (part && fresh) part.replaceChildren(...fresh.childNodes);
        history.replaceState(null, "", address);
      } catch { /* the button still works */ }
    };
    form.addEventListener("input", () => { clearTimeout(waits); waits = setTimeout(filter, TYPED_MS); });
    form.addEventListener("submit", (event) => { event.preventDefault(); filter(); });
  }

  // Two checks are compared: a third one takes the place of the first.
  const chosen = [];
  document.addEventListener("change", (event) => {
    const box = event.target;
    if (!box.matches || !box.matches("form[data-two] input[name=check]")) return;
    const at = chosen.indexOf(box);
    if (at >= 0) chosen.splice(at, 1);
    if (box.checked) chosen.push(box);
    if (chosen.length > 2) chosen.shift().checked = false;
  });

  // Arrow keys walk along a strip, which is one step for the tab key.
  document.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const strip = step && event.target.closest && event.target.closest("svg.strip, svg.verdicts");
    if (!strip) return;
    const links = [...strip.querySelectorAll("a")];
    const next = links[links.indexOf(event.target.closest("a")) + step];
    if (next) { next.focus(); event.preventDefault(); }
  });

  // One form at a time; it closes with Escape, and focus goes back.
  document.addEventListener("toggle", (event) => {
    const opened = event.target;
    if (!opened.matches("details.deed") || !opened.open) return;
    for (const other of document.querySelectorAll("details.deed[open]")) if (other !== opened) other.open = false;
    opened.querySelector("textarea, select, input:not([type=hidden])")?.focus();
  }, true);
  document.addEventListener("keydown", (event) => {
    const opened = event.key === "Escape" && event.target.closest && event.target.closest("details.deed[open]");
    if (opened) { opened.open = false; opened.querySelector("summary").focus(); }
  });

  for (const field of document.querySelectorAll("[data-select]")) field.addEventListener("focus", () => field.select());
})();
