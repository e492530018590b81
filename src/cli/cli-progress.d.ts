/** As much of cli-progress 3.12 as progress.ts uses; the package brings no types. */
declare module 'cli-progress' {
  export interface FormatParams {
    readonly value: number;
    readonly total: number;
    /** Between 0 and 1. */
    readonly progress: number;
  }
  export interface Bar<PAYLOAD> {
    update(value: number, payload?: PAYLOAD): void;
    setTotal(total: number): void;
  }
  export interface MultiBarOptions<PAYLOAD> {
    readonly stream: NodeJS.WriteStream;
    readonly fps: number;
    readonly clearOnComplete: boolean;
    readonly hideCursor: boolean;
    readonly gracefulExit: boolean;
    readonly emptyOnZero: boolean;
    readonly format: (options: unknown, params: FormatParams, payload: PAYLOAD) => string;
  }
  export class MultiBar<PAYLOAD> {
    constructor(options: MultiBarOptions<PAYLOAD>);
    create(total: number, start: number, payload: PAYLOAD): Bar<PAYLOAD>;
    remove(bar: Bar<PAYLOAD>): boolean;
    update(): void;
    stop(): void;
  }
  const cliProgress: { readonly MultiBar: typeof MultiBar };
  export default cliProgress;
}
