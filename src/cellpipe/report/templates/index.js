"use strict";
(function () {
  var day = 86400;
  function named(cell) { return (cell.querySelector("a") || cell).textContent.trim(); }
  function since(days) {
    return Math.floor(Date.now() / 1000 / day) * day - days * day;
  }
  var table = document.getElementById("cells");
  if (!table) { return; }
  var body = table.tBodies[0];
  var heads = Array.prototype.slice.call(table.tHead.rows[0].cells);
  function value(row, place) {
    var cell = row.cells[place];
    var text = cell.getAttribute("data-v");
    if (text === null) { return named(cell).toLowerCase(); }
    return text === "" ? null : Number(text);
  }
  var order = new Intl.Collator(undefined, { numeric: true }).compare;
  function compare(a, b) {
    if (a === b) { return 0; }
    if (a === null) { return 1; }
    if (b === null) { return -1; }
    return typeof a === "string" ? order(a, b) : a - b;
  }
  heads.forEach(function (head, place) {
    if (head.hasAttribute("data-fixed")) { return; }
    var button = document.createElement("button");
    button.type = "button";
    while (head.firstChild) { button.appendChild(head.firstChild); }
    head.appendChild(button);
    head.classList.add("sorts");
    button.addEventListener("click", function () {
      var up = head.getAttribute("aria-sort") !== "ascending";
      heads.forEach(function (other) { other.removeAttribute("aria-sort"); });
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      items.forEach(function (item) { item.value = value(item.row, place); });
      items.sort(function (a, b) {
        if (a.value === null || b.value === null) { return compare(a.value, b.value); }
        return up ? compare(a.value, b.value) : compare(b.value, a.value);
      });
      var all = document.createDocumentFragment();
      items.forEach(function (item) { all.appendChild(item.row); });
      filter();
      body.appendChild(all);
    });
  });
  var names = heads.map(function (head) { return head.textContent.trim(); });
  var places = {
    kind: names.indexOf("Kind"), checks: names.indexOf("Checks"),
    newest: names.indexOf("Newest file (UTC)")
  };
  var items = Array.prototype.slice.call(body.rows).map(function (row) {
    return {
      row: row, text: row.textContent.toLowerCase(),
      kind: row.cells[places.kind].textContent.trim(),
      checks: Number(row.cells[places.checks].getAttribute("data-v")),
      seen: Number(row.cells[places.newest].getAttribute("data-seen")) || null
    };
  });
  var most = 100;
  var rest = at("rest");
  rest.addEventListener("click", function () { most = Infinity; filter(); });
  function at(id) { return document.getElementById(id); }
  function filter() {
    var wanted = at("filter").value.trim().toLowerCase();
    var kind = at("kind").value;
    var days = at("since").value;
    var from = days ? since(Number(days)) : null;
    var found = 0;
    items.forEach(function (item) {
      var there = item.text.indexOf(wanted) >= 0 && (!kind || item.kind === kind) &&
        (!at("checked").checked || item.checks > 0) &&
        (from === null || (item.seen !== null && item.seen >= from));
      found += there ? 1 : 0;
      item.row.hidden = !there || found > most;
    });
    at("shown").textContent = found === items.length ? "" :
      found + " of " + items.length + " cells";
    rest.hidden = found <= most;
    rest.textContent = "Show all " + found + " cells (the first " + most + " are shown)";
  }
  document.querySelector(".filter").hidden = false;
  ["filter", "kind", "since", "checked"].forEach(function (id) {
    at(id).addEventListener("input", filter);
  });
  filter();
})();
