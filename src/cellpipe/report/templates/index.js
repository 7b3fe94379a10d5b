"use strict";
(function () {
  var table = document.getElementById("cells");
  if (!table) { return; }
  var body = table.tBodies[0];
  var heads = Array.prototype.slice.call(table.tHead.rows[0].cells);
  function value(row, place) {
    var cell = row.cells[place];
    var text = cell.getAttribute("data-v");
    if (text === null) { return cell.textContent.trim().toLowerCase(); }
    return text === "" ? null : Number(text);
  }
  function compare(a, b) {
    if (a === b) { return 0; }
    if (a === null) { return 1; }
    if (b === null) { return -1; }
    if (typeof a === "string") { return a.localeCompare(b, undefined, { numeric: true }); }
    return a - b;
  }
  heads.forEach(function (head, place) {
    if (head.hasAttribute("data-fixed")) { return; }
    head.tabIndex = 0;
    head.classList.add("sorts");
    function sort() {
      var up = head.getAttribute("aria-sort") !== "ascending";
      heads.forEach(function (other) { other.removeAttribute("aria-sort"); });
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      Array.prototype.slice.call(body.rows).map(function (row) {
        return { row: row, value: value(row, place) };
      }).sort(function (a, b) {
        if (a.value === null || b.value === null) { return compare(a.value, b.value); }
        return up ? compare(a.value, b.value) : compare(b.value, a.value);
      }).forEach(function (item) { body.appendChild(item.row); });
    }
    head.addEventListener("click", sort);
    head.addEventListener("keydown", function (event) {
      if (event.key === "Enter" || event.key === " ") { event.preventDefault(); sort(); }
    });
  });
  var box = document.getElementById("filter");
  box.parentNode.hidden = false;
  box.addEventListener("input", function () {
    var wanted = box.value.trim().toLowerCase();
    Array.prototype.forEach.call(body.rows, function (row) {
      row.hidden = row.textContent.toLowerCase().indexOf(wanted) < 0;
    });
  });
})();
