/** `recsys/client`: what other programs use to talk to `recsys serve-online`. */
export {
  type CallOptions,
  type Checkpoint,
  type CheckpointTaken,
  type Clicks,
  type ClientOptions,
  type Event,
  type Learning,
  type LearningAction,
  type Quality,
  type Questions,
  type Receipts,
  type RecommendationRequest,
  type Recommendations,
  RecsysClient,
  type State,
  type TakeCheckpoint,
} from './client.js';
export { type Defect, ServiceError } from './error.js';
