// What Letterbox is measured against: a relay on stock socket.io, one message from one socket to another.
import { Server } from "socket.io";

const io = new Server({ serveClient: false });

io.on("connection", (socket) => {
  socket.on("m", (to, kind, body) => io.to(to).emit("m", socket.id, kind, body));
});

io.listen(Number(process.argv[2]), { host: "127.0.0.1" });
