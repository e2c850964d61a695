import { RecsysError } from '../../errors.js';
import type { Catalogue } from '../../types.js';

/** Items' attribute values, as the model's catalogue has them. An item that came while serving has none. */
export class Attributes {
  private readonly names: readonly string[];
  private readonly tokensByName = new Map<string, number>();

  constructor(private readonly catalogue: Catalogue) {
    this.names = catalogue.itemFeatures.tokenNames;
    for (const [token, name] of this.names.entries()) if (token > 0) this.tokensByName.set(name, token);
  }

  /** Values of an item: tokens, see `FeatureTable`. */
  of(item: number): number[] {
    const { tokens, width } = this.catalogue.itemFeatures;
    return [...tokens.subarray(item * width, (item + 1) * width)].filter((token) => token > 0);
  }

  /** Which attribute each token is a value of. */
  attributeOf(token: number): string {
    const name = this.names[token]!;
    return name.slice(0, name.search(/[=#]/));
  }

  /**
   * Tokens of some values of an attribute.
   * @param where the setting that names them
   * @throws RecsysError CONFIG_INVALID where no item has the attribute or a value
   */
  tokens(attribute: string, values: readonly string[], where: string): number[] {
    this.check(attribute, where);
    return values.map((value) => {
      const token = this.tokensByName.get(`${attribute}=${value}`);
      if (token === undefined)
        throw new RecsysError('CONFIG_INVALID', `${where}: no item has ${attribute} “${value}”`, {
          remedy: `Values of ${attribute}: ${this.some(attribute)}.`,
        });
      return token;
    });
  }

  /** @throws RecsysError CONFIG_INVALID where no item has the attribute */
  check(attribute: string, where: string): void {
    const known = this.attributes();
    if (known.has(attribute)) return;
    throw new RecsysError('CONFIG_INVALID', `${where}: items have no attribute “${attribute}”`, {
      remedy:
        known.size > 0
          ? `Their attributes with values: ${[...known].join(', ')}.`
          : 'The model served was trained without attributes of items.',
    });
  }

  private attributes(): Set<string> {
    return new Set([...this.tokensByName.values()].map((token) => this.attributeOf(token)));
  }

  private some(attribute: string): string {
    const values = [...this.tokensByName.keys()].flatMap((name) =>
      name.startsWith(`${attribute}=`) ? [name.slice(attribute.length + 1)] : [],
    );
    return values.length > 10 ? `${values.slice(0, 10).join(', ')}, …` : values.join(', ');
  }
}
