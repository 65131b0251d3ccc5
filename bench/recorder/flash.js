// A source whose every moment is known: each picture carries its number and the wall time at which it was drawn is kept; every second
// the picture flashes and a tone begins. size, rate: of the pictures.
((width, height, rate) => {
  const canvas = document.createElement("canvas");
  const pen = canvas.getContext("2d", { alpha: false });
  canvas.width = width;
  canvas.height = height;
  const wall = () => performance.timeOrigin + performance.now();
  const known = { drawn: {}, beeps: [], ahead: -Infinity, reached: [] };
  let number = 0;
  const draw = () => {
    const cell = canvas.width / 16;
    pen.fillStyle = wall() % 1000 < 100 ? "#fff" : "#456";
    pen.fillRect(0, 0, canvas.width, canvas.height);
    for (let bit = 0; bit < 16; bit += 1) {
      pen.fillStyle = (number >> bit) & 1 ? "#eee" : "#111";
      pen.fillRect(bit * cell, 0, cell + 1, canvas.height / 2);
    }
    known.drawn[number] = wall();
    number += 1;
  };
  let next = performance.now();
  const again = () => {
    draw();
    // Not setInterval: it would catch up in bursts.
    next = Math.max(next + 1000 / rate, performance.now() + 5);
    setTimeout(again, next - performance.now());
  };
  again();
  const stream = canvas.captureStream(rate);
  const sound = new AudioContext({ sampleRate: 48000, latencyHint: "interactive" });
  const gain = new GainNode(sound, { gain: 0 });
  const tone = new OscillatorNode(sound, { frequency: 1000 });
  const out = sound.createMediaStreamDestination();
  tone.connect(gain).connect(out);
  tone.start();
  stream.addTrack(out.stream.getAudioTracks()[0]);
  // The newest sample is as old as the moment at which it was made: how far the sound's clock is ahead of the wall, at most.
  setInterval(() => {
    known.ahead = Math.max(known.ahead - 0.000001, sound.currentTime - wall() / 1000);
  }, 3);
  let last = 0;
  setInterval(() => {
    const second = Math.floor(wall() / 1000) + 1;
    if (second === last || known.ahead === -Infinity || sound.currentTime < 1.5) return;
    last = second;
    const at = second + known.ahead;
    gain.gain.setValueAtTime(0.5, at);
    gain.gain.setValueAtTime(0, at + 0.08);
    known.beeps.push(second * 1000);
  }, 50);
  // What WebAudio makes reaches the track some milliseconds later, as a microphone's sound does not: noted where it gets there.
  const listen = async () => {
    const reader = new MediaStreamTrackProcessor({ track: out.stream.getAudioTracks()[0].clone() }).readable.getReader();
    let quiet = 0;
    for (;;) {
      const { value: block, done } = await reader.read();
      if (done) return;
      const samples = new Float32Array(block.numberOfFrames);
      block.copyTo(samples, { planeIndex: 0, format: "f32-planar" });
      const begin = performance.timeOrigin + block.timestamp / 1000;
      block.close();
      for (let at = 0; at < samples.length; at += 1) {
        const loud = Math.abs(samples[at]) > 0.05;
        const moment = begin + at / 48;
        if (loud && quiet > 9600) known.reached.push(moment - Math.round(moment / 1000) * 1000);
        quiet = loud ? 0 : quiet + 1;
      }
    }
  };
  listen();
  window.connections = {};
  window.known = known;
  window.stream = stream;
  window.offers = async (name, codec) => {
    const connection = new RTCPeerConnection({ iceServers: [] });
    window.connections[name] = connection;
    for (const track of stream.getTracks()) {
      const transceiver = connection.addTransceiver(track, { direction: "sendonly", streams: [stream] });
      if (track.kind !== "video") continue;
      track.contentHint = "motion";
      const all = RTCRtpSender.getCapabilities("video").codecs;
      transceiver.setCodecPreferences(all.filter((one) => one.mimeType === codec || one.mimeType.endsWith("/rtx")));
    }
    const gathered = new Promise((done) => {
      connection.addEventListener("icegatheringstatechange", () => connection.iceGatheringState === "complete" && done());
    });
    await connection.setLocalDescription();
    await gathered;
    return connection.localDescription.sdp;
  };
  window.answered = (name, sdp) => window.connections[name].setRemoteDescription({ type: "answer", sdp });
  window.grow = ([width, height]) => Object.assign(canvas, { width, height });
  window.replaceCamera = async (name) => {
    const [track] = canvas.captureStream(rate).getVideoTracks();
    const sender = window.connections[name].getSenders().find((one) => one.track?.kind === "video");
    await sender.replaceTrack(track);
  };
  window.figures = async (name) => {
    const found = { frames: 0, bytes: 0, packets: 0, state: window.connections[name].connectionState };
    for (const report of (await window.connections[name].getStats()).values()) {
      if (report.type !== "outbound-rtp") continue;
      if (report.kind === "audio") found.packets = report.packetsSent;
      else Object.assign(found, { frames: report.framesSent, bytes: report.bytesSent, width: report.frameWidth });
    }
    return found;
  };
})(640, 360, 30);
