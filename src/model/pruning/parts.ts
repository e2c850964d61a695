import type { ModelConfig } from '../registry.js';

/** What structured pruning can remove: attention heads, feed-forward channels, whole blocks, dimensions of the embeddings. */
export const PART_NAMES = ['heads', 'channels', 'layers', 'width'] as const;
export type PartName = (typeof PART_NAMES)[number];

/** A part that runs along axes of parameters. */
export interface Part {
  /** Size of each of its dimensions, by name; each is pruned by itself. */
  readonly dimensions: ReadonlyMap<string, number>;
  /** The model's config once so many positions are left of each, in the same order. */
  shrunk(left: readonly number[]): ModelConfig;
}

/** What structured pruning has to know of a model. */
export interface Anatomy {
  /**
   * For each axis of a parameter, the dimension that runs along it. An axis k times as long as its dimension has k places a position
   * (a head's width, say).
   */
  axes(name: string): readonly (string | undefined)[];
  readonly parts: Readonly<Partial<Record<Exclude<PartName, 'layers'>, Part>>>;
  /** Blocks one after another that can be left out, where the model has any. */
  readonly layers?: Layers;
}

export interface Layers {
  readonly count: number;
  /** Name that the parameters of a block begin with. */
  prefix(block: number): string;
  /** Parameters of a block that write into what is handed on: by their size a block is judged. */
  readonly outputs: readonly string[];
  shrunk(left: number): ModelConfig;
}

/** The axes of a vector for each item or user: [rows, width], for ids, attribute values and attribute numbers alike. */
export const ENTITY = /^(item|user|output)\.(embedding|tokens|numbers)$/;

const HEAD_AXES: Readonly<Record<string, readonly (string | undefined)[]>> = {
  'longTerm.short': ['width', 'width'],
  'longTerm.long': ['width', 'width'],
  'longTerm.value': ['width', 'width'],
  'longTerm.bias': ['width'],
  'behaviourHeads.weight': [undefined, 'width', 'width'],
  'behaviourHeads.offset': [undefined, 'width'],
  'behaviourHeads.experts.gate': [undefined, 'width', undefined],
  'behaviourHeads.experts.shared.in': ['width', undefined],
  'behaviourHeads.experts.shared.bias': [undefined],
  'behaviourHeads.experts.shared.out': [undefined, 'width'],
  'behaviourHeads.experts.own.in': [undefined, 'width', undefined],
  'behaviourHeads.experts.own.bias': [undefined, undefined, undefined],
  'behaviourHeads.experts.own.out': [undefined, undefined, 'width'],
};

/** The axes of what models have above their layers: heads for behaviours, long-term interest. */
export const headAxes = (name: string): readonly (string | undefined)[] | undefined => HEAD_AXES[name];
