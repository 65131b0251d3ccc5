// Camera, microphone, screen. The only caller of getUserMedia and getDisplayMedia.

/**
 * @typedef {"insecure" | "denied" | "absent" | "busy" | "failed"} MediaProblem
 * @typedef {{stream: MediaStream, problems: {audio?: MediaProblem, video?: MediaProblem}}} Opened
 */

const VIDEO = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } };
const LITTLE_VIDEO = { width: { ideal: 320 }, height: { ideal: 180 }, frameRate: { ideal: 12, max: 15 } };
const AUDIO = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };

/**
 * @typedef {Partial<typeof AUDIO>} Processing  of the microphone
 */

/** Browsers give devices to secure pages only (W3C Media Capture section 10). */
export const canCapture = () => Boolean(globalThis.isSecureContext && navigator.mediaDevices?.getUserMedia);

/**
 * @param {unknown} error
 * @returns {MediaProblem}
 */
export function problemOf(error) {
  const name = error instanceof Error ? error.name : "";
  if (name === "NotAllowedError" || name === "SecurityError") return "denied";
  if (name === "NotFoundError" || name === "OverconstrainedError") return "absent";
  if (name === "NotReadableError" || name === "AbortError") return "busy";
  return "failed";
}

/**
 * Open what can be opened: camera and microphone together, else each by itself, so that one that fails does not take the other.
 *
 * @param {{audio?: string | false, video?: string | false, processing?: Processing}} [wish]  device ids; false: not wanted
 * @returns {Promise<Opened>}
 */
export async function open({ audio = "", video = "", processing = {} } = {}) {
  if (!canCapture()) return { stream: new MediaStream(), problems: { audio: "insecure", video: "insecure" } };
  /** @type {{audio: MediaTrackConstraints | false, video: MediaTrackConstraints | false}} */
  const wanted = { audio: audio === false ? false : device({ ...AUDIO, ...processing }, audio), video: video === false ? false : device(VIDEO, video) };
  if (!wanted.audio && !wanted.video) return { stream: new MediaStream(), problems: {} };
  try {
    return { stream: await navigator.mediaDevices.getUserMedia(wanted), problems: {} };
  } catch {
    return openEach(wanted);
  }
}

/**
 * @param {{audio: MediaTrackConstraints | false, video: MediaTrackConstraints | false}} wanted
 * @returns {Promise<Opened>}
 */
async function openEach(wanted) {
  const stream = new MediaStream();
  /** @type {Opened["problems"]} */
  const problems = {};
  for (const kind of /** @type {const} */ (["audio", "video"])) {
    if (!wanted[kind]) continue;
    try {
      const one = await navigator.mediaDevices.getUserMedia({ [kind]: wanted[kind] });
      one.getTracks().forEach((track) => stream.addTrack(track));
    } catch (error) {
      problems[kind] = problemOf(error);
    }
  }
  return { stream, problems };
}

/**
 * @param {MediaTrackConstraints} constraints
 * @param {string} id
 * @returns {MediaTrackConstraints}
 */
const device = (constraints, id) => (id ? { ...constraints, deviceId: { exact: id } } : constraints);

/**
 * A camera gives no more than is wanted of it (less to copy, scale and encode on an old machine), and blurs what is behind one
 * where the system can (W3C mediacapture-extensions, backgroundBlur). No library does it elsewhere: those that are kept (MediaPipe
 * Tasks) fetch their model from somebody else's server and weigh sixty times this page; those that bring theirs are no longer kept.
 *
 * @param {MediaStreamTrack} track
 * @param {{little: boolean, blur: boolean}} wish
 */
export async function shape(track, { little, blur }) {
  const { backgroundBlur = [] } = /** @type {any} */ (track.getCapabilities?.() ?? {});
  const can = backgroundBlur.includes(true) ? { backgroundBlur: blur } : {};
  await track.applyConstraints({ ...(little ? LITTLE_VIDEO : VIDEO), ...can }).catch(() => undefined);
}

/** @returns {Promise<MediaDeviceInfo[]>} cameras, microphones and loudspeakers; named only after one was opened */
export async function devices() {
  if (!canCapture()) return [];
  return (await navigator.mediaDevices.enumerateDevices()).filter(({ deviceId }) => deviceId);
}

/** @returns {Promise<MediaStream | null>} null when the person thought better of it */
export async function openScreen() {
  try {
    return await navigator.mediaDevices.getDisplayMedia({ video: { frameRate: { ideal: 15 } }, audio: true });
  } catch (error) {
    if (problemOf(error) === "denied") return null;
    throw error;
  }
}

/** @param {MediaStream | null} stream */
export const close = (stream) => stream?.getTracks().forEach((track) => track.stop());

/**
 * How loud a microphone is, 0 to 1, ten times a second, until the signal aborts.
 *
 * @param {MediaStreamTrack} track
 * @param {(level: number) => void} onLevel
 * @param {AbortSignal} signal
 */
export function meter(track, onLevel, signal) {
  const context = new AudioContext();
  // Some browsers are silent until the person has pressed something.
  document.addEventListener("pointerdown", () => void context.resume(), { signal });
  const analyser = context.createAnalyser();
  analyser.fftSize = 512;
  context.createMediaStreamSource(new MediaStream([track])).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  const timer = setInterval(() => {
    analyser.getFloatTimeDomainData(samples);
    const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
    onLevel(Math.min(1, Math.sqrt(power) * 4));
  }, 100);
  signal.addEventListener("abort", () => {
    clearInterval(timer);
    void context.close();
  });
}

/**
 * A short chord out of a loudspeaker, to hear whether it is the right one.
 *
 * @param {string} sink  device id, "" for the system's own
 */
export async function ring(sink) {
  const context = new AudioContext();
  const out = context.createMediaStreamDestination();
  const gain = context.createGain();
  gain.gain.setValueAtTime(0.15, context.currentTime);
  gain.gain.exponentialRampToValueAtTime(0.001, context.currentTime + 1);
  gain.connect(out);
  for (const hertz of [440, 554, 659]) {
    const tone = context.createOscillator();
    tone.frequency.value = hertz;
    tone.connect(gain);
    tone.start();
    tone.stop(context.currentTime + 1);
    tone.onended = () => void context.close();
  }
  const speaker = new Audio();
  speaker.srcObject = out.stream;
  if (sink) await speaker.setSinkId?.(sink);
  await speaker.play();
}
