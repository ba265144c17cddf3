const DIGITS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

// The partition in an id: bits 48 to 63 of 128, in the 26 digits of Crockford's base 32.
export function partitionOf(id) {
  let number = 0n;
  for (const digit of id) number = number * 32n + BigInt(DIGITS.indexOf(digit.toUpperCase()));
  return Number((number >> 64n) & 0xffffn);
}
