// Draws a rectangle or a lasso over a picture; sends its corners, as shares of the picture's width and height.
export default function (component) {
  const { data, parentElement, setStateValue } = component;
  const canvas = parentElement.querySelector("canvas");
  const pen = canvas.getContext("2d");
  canvas.setAttribute("aria-label", data.label);
  const picture = new Image();
  let points = data.points || [];
  let drawing = false;

  function corners() {
    if (data.tool !== "rectangle" || points.length < 2) return points;
    const [a, b] = [points[0], points[points.length - 1]];
    return [a, [b[0], a[1]], b, [a[0], b[1]]];
  }
  function draw() {
    pen.imageSmoothingEnabled = false;
    pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
    const shape = corners();
    if (shape.length < 2) return;
    pen.beginPath();
    shape.forEach(([x, y], i) => pen[i ? "lineTo" : "moveTo"](x * canvas.width, y * canvas.height));
    pen.closePath();
    pen.fillStyle = "rgba(255, 176, 0, 0.35)";
    pen.fill();
    pen.lineWidth = 3;
    pen.strokeStyle = "#ffb000";
    pen.stroke();
  }
  function place(event) {
    const box = canvas.getBoundingClientRect();
    const share = (value, start, length) => Math.min(1, Math.max(0, (value - start) / length));
    return [share(event.clientX, box.left, box.width), share(event.clientY, box.top, box.height)];
  }
  picture.onload = () => {
    canvas.width = 384;
    canvas.height = Math.round((384 * picture.height) / picture.width);
    draw();
  };
  picture.src = data.picture;
  canvas.onpointerdown = (event) => {
    drawing = true;
    canvas.setPointerCapture(event.pointerId);
    points = [place(event)];
  };
  canvas.onpointermove = (event) => {
    if (!drawing) return;
    points.push(place(event));
    draw();
  };
  canvas.onpointerup = () => {
    if (!drawing) return;
    drawing = false;
    setStateValue("points", corners());
  };
}
