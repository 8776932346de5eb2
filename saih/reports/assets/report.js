// Puts the interactive figures where the page keeps room for them.
const data = JSON.parse(document.getElementById("saih-data").textContent);
const points = pointTable(data);
document.body.append(tip);
document.querySelectorAll(".scripted").forEach((one) => {
  one.hidden = false;
});
const parts = [["explore-trend", trendExplorer], ["explore-map", dataModelMap], ["explore-stack", phaseStacks]];
for (const [id, make] of parts) document.getElementById(id).append(make(data, points.choose));
document.getElementById("explore-table").append(points.element);
addEventListener("scroll", placeTip, { passive: true });
