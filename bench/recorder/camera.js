// A camera of 1280×720 at 30 pictures a second that fills 2.5 Mbit/s, a voice, and their connection to whoever answers.
(() => {
  const canvas = document.createElement("canvas");
  canvas.width = 1280;
  canvas.height = 720;
  const pen = canvas.getContext("2d", { alpha: false });
  const grain = document.createElement("canvas");
  grain.width = 320;
  grain.height = 180;
  const dots = grain.getContext("2d");
  const image = dots.createImageData(320, 180);
  for (let at = 0; at < image.data.length; at += 4) {
    image.data[at] = image.data[at + 1] = image.data[at + 2] = 60 + 130 * Math.random();
    image.data[at + 3] = 255;
  }
  dots.putImageData(image, 0, 0);
  let count = 0;
  const draw = () => {
    pen.drawImage(grain, -640 + ((count * 3) % 640), 0, 1920, 720);
    pen.fillStyle = "#ddd";
    pen.fillRect((count * 7) % 1280, 300, 120, 120);
    count += 1;
  };
  setInterval(draw, 1000 / 30);
  const stream = canvas.captureStream(30);
  const sound = new AudioContext();
  const voice = new OscillatorNode(sound, { frequency: 220 });
  const out = sound.createMediaStreamDestination();
  voice.connect(out);
  voice.start();
  stream.addTrack(out.stream.getAudioTracks()[0]);
  window.connections = {};
  window.offers = async (name, codec) => {
    const connection = new RTCPeerConnection({ iceServers: [] });
    window.connections[name] = connection;
    for (const track of stream.getTracks()) {
      const transceiver = connection.addTransceiver(track, {
        direction: "sendonly",
        streams: [stream],
        sendEncodings: track.kind === "video" ? [{ maxBitrate: 2_500_000, maxFramerate: 30 }] : [{}],
      });
      if (track.kind === "video") {
        track.contentHint = "motion";
        const all = RTCRtpSender.getCapabilities("video").codecs;
        transceiver.setCodecPreferences(all.filter((one) => one.mimeType === codec || one.mimeType.endsWith("/rtx")));
        const parameters = transceiver.sender.getParameters();
        parameters.degradationPreference = "maintain-resolution";
        await transceiver.sender.setParameters(parameters);
      }
    }
    const gathered = new Promise((done) => {
      connection.addEventListener("icegatheringstatechange", () => connection.iceGatheringState === "complete" && done());
    });
    await connection.setLocalDescription();
    await gathered;
    return connection.localDescription.sdp;
  };
  window.answered = (name, sdp) => window.connections[name].setRemoteDescription({ type: "answer", sdp });
  window.figures = async (name) => {
    const found = { frames: 0, bytes: 0, state: window.connections[name].connectionState };
    for (const report of (await window.connections[name].getStats()).values()) {
      if (report.type !== "outbound-rtp" || report.kind !== "video") continue;
      Object.assign(found, { frames: report.framesSent, bytes: report.bytesSent, width: report.frameWidth });
    }
    return found;
  };
})();
