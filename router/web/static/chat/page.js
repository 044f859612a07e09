// The line to copy names the server that this page came from.
document.getElementById("here").textContent = location.origin;
