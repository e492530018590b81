/**
 * The root of the library: errors and steps, which every area shares. Everything else is imported by area, such as
 * `bootseal/verify`, so that a program loads no more than it uses.
 */
export {
  BootsealError,
  isBootsealError,
  type ErrorCode,
  type ErrorDetails,
  type ExitStatus,
} from './errors.ts';
export type { Step, StepDetail, StepState } from './steps.ts';
