/* A private key of P-256 in PEM, made for the tests and used for nothing else; as a part of JSON,
 * too. */
#ifndef SUPPORT_KEYS_H
#define SUPPORT_KEYS_H

#define P256_PEM_OF(end)                                                                           \
    "-----BEGIN"                                                                                   \
    " PRIVATE KEY-----" end "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg8YuRLX0ZIApYh8ZO" end \
    "9jvtHM1kl4hU8Kst4r8za4yVYvihRANCAAToCTjgJWd5YC3z3KmWKX6+9Sm6YLJN" end                         \
    "pGAMsUaDyEdIr/tY5lP6xngvoo1ItKUZRW/FizvIWnXMLiytlBNM+ed6" end "-----END PRIVATE KEY-----" end
#define P256_PEM      P256_PEM_OF("\n")
#define P256_PEM_JSON P256_PEM_OF("\\n")

#endif
