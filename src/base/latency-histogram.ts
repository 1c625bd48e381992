import { build, type JsHistogram } from 'hdr-histogram-js';

/** An empty HDR histogram of whole nanoseconds, exact to three significant digits. */
export const latencyHistogram = (): JsHistogram =>
  build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: 2 ** 40,
    numberOfSignificantValueDigits: 3,
    autoResize: true,
    useWebAssembly: false,
  }) as JsHistogram; // what is built without WebAssembly
