import assert from 'node:assert/strict';
import { test } from 'node:test';
import { timeParser } from '../../src/data/time.js';

const cases: readonly [format: string, text: string, iso: string | undefined][] = [
  ['epoch-s', '881250949', '1997-12-04T15:55:49.000Z'],
  ['epoch-s', '881250949.25', '1997-12-04T15:55:49.250Z'],
  ['epoch-s', '-1', '1969-12-31T23:59:59.000Z'],
  ['epoch-s', '', undefined],
  ['epoch-s', 'yesterday', undefined],
  ['epoch-ms', '1573568086000', '2019-11-12T14:14:46.000Z'],
  ['iso', '2017-01-01 11:53:26', '2017-01-01T11:53:26.000Z'],
  ['iso', '2017-01-01T11:53:26.5+02:00', '2017-01-01T09:53:26.500Z'],
  ['iso', '2017-01-01T00:00-0130', '2017-01-01T01:30:00.000Z'],
  ['iso', '2017-02-28', '2017-02-28T00:00:00.000Z'],
  ['iso', '2017-02-30', undefined],
  ['iso', '2017-01-01T25:00', undefined],
  ['%m/%d/%Y %I:%M:%S %p', '11/12/2019 2:14:46 PM', '2019-11-12T14:14:46.000Z'],
  ['%m/%d/%Y %I:%M:%S %p', '11/9/2019 12:05:00 AM', '2019-11-09T00:05:00.000Z'],
  ['%m/%d/%Y %I:%M:%S %p', '11/9/2019 12:05:00 PM', '2019-11-09T12:05:00.000Z'],
  ['%d-%b-%Y', '01-Jan-1995', '1995-01-01T00:00:00.000Z'],
  ['%d-%b-%Y', '01-Foo-1995', undefined],
  ['%Y%m%d', '20200229', '2020-02-29T00:00:00.000Z'],
  ['%Y%m%d', '20210229', undefined],
];

for (const [format, text, iso] of cases) {
  test(`time ${format}: ${JSON.stringify(text)}`, () => {
    const ms = timeParser(format)(text);
    assert.equal(Number.isNaN(ms) ? undefined : new Date(ms).toISOString(), iso);
  });
}
