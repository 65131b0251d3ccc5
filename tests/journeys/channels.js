// In a page under test, before all else: the file channels it opens end, or go silent, after so many bytes.
//
// globalThis.cuts: bytes after which the first, second, … channel ends. globalThis.silentAfter: bytes after which nothing leaves any more.
globalThis.cuts = [];
globalThis.silentAfter = Infinity;
globalThis.fileChannels = [];
const create = RTCPeerConnection.prototype.createDataChannel;
RTCPeerConnection.prototype.createDataChannel = function (label, ...more) {
  const channel = create.call(this, label, ...more);
  if (!label.startsWith("file:")) return channel;
  globalThis.fileChannels.push(channel);
  let [left, sent] = [globalThis.cuts.shift() ?? Infinity, 0];
  const send = channel.send.bind(channel);
  channel.send = (data) => {
    sent += data.byteLength ?? 0;
    if ((left -= data.byteLength ?? 0) < 0) channel.close();
    if (sent <= globalThis.silentAfter) send(data);
  };
  return channel;
};
