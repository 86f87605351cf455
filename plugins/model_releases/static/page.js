"use strict";
/* Older rows are fetched as the reader comes near the end of the table; without scripts the link leads to them. */
(() => {
  const most = 25;
  const more = () => document.querySelector("a[data-more]");
  const rows = document.querySelector("[data-more-rows]");
  if (!rows || !more()) return;
  const load = async () => {
    const link = more();
    if (!link) return false;
    const answer = await fetch(link.href, { credentials: "same-origin" });
    if (!answer.ok) return false;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const found = page.querySelector("[data-more-rows]");
    if (!found) return false;
    rows.append(...[...found.children].map((each) => document.importNode(each, true)));
    const next = page.querySelector("a[data-more]");
    if (next) link.setAttribute("href", new URL(next.getAttribute("href"), answer.url).href);
    else link.remove();
    return Boolean(next);
  };
  const fill = async () => {
    while (rows.children.length < most && (await load()));
  };
  fill();
  document.addEventListener("click", (event) => {
    if (event.target.matches("a[data-more]")) {
      event.preventDefault();
      load();
    }
  });
})();
