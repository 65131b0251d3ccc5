// One's own voice as text, where the browser can (https://webaudio.github.io/web-speech-api/): on this device if it is able to.

/** @returns {any} */
const Recognition = () => /** @type {any} */ (globalThis).SpeechRecognition ?? /** @type {any} */ (globalThis).webkitSpeechRecognition;

export const canDictate = () => typeof Recognition() === "function";

/** So soon after it began, an end is a failure: do not begin at once. */
const TOO_SOON_MS = 1000;

export class Dictation {
  /**
   * @param {object} options
   * @param {string} options.language
   * @param {(text: string, isFinal: boolean) => void} options.onText
   * @param {() => void} options.onRefused  the browser will not
   */
  constructor({ language, onText, onRefused }) {
    this.language = language;
    this.onText = onText;
    this.onRefused = onRefused;
    /** @type {MediaStreamTrack | undefined} */
    this.track = undefined;
    /** @type {any} */
    this.recognition = null;
  }

  /**
   * Write down what this microphone hears; undefined: nothing.
   *
   * @param {MediaStreamTrack | undefined} track
   */
  follow(track) {
    if (track === this.track) return;
    this.stop();
    this.track = track;
    if (track) void this.start(track);
  }

  /** Opposite: stop(). @param {MediaStreamTrack} track */
  async start(track) {
    const recognition = new (Recognition())();
    this.recognition = recognition;
    recognition.continuous = true;
    recognition.interimResults = true;
    recognition.lang = this.language;
    if (await isOnDevice(this.language)) recognition.processLocally = true;
    if (this.recognition !== recognition) return;
    let beganAtMs = Date.now();
    recognition.onresult = (/** @type {any} */ event) => this.heard(event);
    recognition.onerror = (/** @type {{error: string}} */ { error }) => {
      if (!["not-allowed", "service-not-allowed", "language-not-supported"].includes(error)) return;
      this.stop();
      this.onRefused();
    };
    // It ends by itself after a silence.
    recognition.onend = () => {
      const again = () => {
        if (this.recognition !== recognition) return;
        beganAtMs = Date.now();
        recognition.start(track);
      };
      setTimeout(again, Date.now() - beganAtMs < TOO_SOON_MS ? TOO_SOON_MS : 0);
    };
    recognition.start(track);
  }

  /** @param {{resultIndex: number, results: ArrayLike<ArrayLike<{transcript: string}> & {isFinal: boolean}>}} event */
  heard({ resultIndex, results }) {
    let soFar = "";
    for (const result of [...Array.from(results)].slice(resultIndex)) {
      if (result.isFinal) this.onText(result[0].transcript, true);
      else soFar += result[0].transcript;
    }
    if (soFar) this.onText(soFar, false);
  }

  stop() {
    const { recognition } = this;
    this.recognition = null;
    this.track = undefined;
    recognition?.abort();
  }
}

/** @param {string} language */
async function isOnDevice(language) {
  const found = await Recognition().available?.({ langs: [language], processLocally: true }).catch(() => "");
  return found === "available";
}
