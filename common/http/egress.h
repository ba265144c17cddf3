/**
 * egress: where requests may go. The guard against server-side request forgery.
 *
 * Every address that libcurl is about to use, of a fresh or a pooled connection, is checked, not
 * the name it came from; so a name that changes its address between check and use gains nothing.
 * Only public addresses are allowed. Private ones need both: a rule here (the operator's) and
 * `allow_private` of the request (the connection's). Forms such as 0x7f.1 or 2130706433 are no
 * special case: they arrive as the address they mean.
 *
 * Pure functions and constant data: any thread.
 */
#ifndef HTTP_EGRESS_H
#define HTTP_EGRESS_H

#include "base/status.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    EGRESS_RULES_MAX   = 256,
    EGRESS_ADDRESS_MAX = 64,  /* bytes of an address as text */
    EGRESS_REASON_MAX  = 192, /* bytes, with the NUL */
};

/** An IPv6 address; IPv4 ones are mapped (::ffff:a.b.c.d). */
struct egress_address {
    uint8_t bytes[16];
};

/** Reads "1.2.3.4", "::1", "fe80::1%eth0". No names. */
bool egress_address_parse(str text, struct egress_address *ret_address);
struct egress_address egress_address_v4(const uint8_t octets[static 4]);

struct sockaddr;
/** The address of a socket; false for families other than IPv4 and IPv6. */
bool egress_address_of(const struct sockaddr *address, struct egress_address *ret_address);

enum egress_class {
    EGRESS_PUBLIC,
    EGRESS_UNSPECIFIED, /* 0.0.0.0/8, :: */
    EGRESS_LOOPBACK,    /* 127/8, ::1 */
    EGRESS_PRIVATE,     /* 10/8, 172.16/12, 192.168/16, fec0::/10 */
    EGRESS_LINK_LOCAL,  /* 169.254/16, fe80::/10 */
    EGRESS_CGNAT,       /* 100.64/10 */
    EGRESS_ULA,         /* fc00::/7 */
    EGRESS_MULTICAST,   /* 224/4, ff00::/8 */
    EGRESS_METADATA,    /* the clouds' metadata services; never allowed, whatever the rules say */
    EGRESS_RESERVED,    /* broadcast, documentation, benchmarks, not yet assigned */
};

/** The class of an address. IPv4 inside mapped, compatible, 6to4, Teredo and NAT64 addresses is
 * taken out first. Source: the IANA special-purpose registries of IPv4 and IPv6. */
enum egress_class egress_classify(struct egress_address address);

/** "link-local"; static. */
const char *egress_class_name(enum egress_class class);

struct egress_rules;

struct egress_options {
    const char *const *private_allow; /* NULL-terminated networks: "10.20.0.0/16", "::1/128" */
    const char *const *http_allow;    /* NULL-terminated host names, for which http is allowed */
    /* The section of the configuration where the lists stand as `private_networks` and
     * `http_hosts`: refusals name it. Static; NULL: nothing would allow more. */
    const char *section;
};

/** Owned: egress_rules_free(). Either list may be NULL. Fails with INVALID_ARGUMENT, naming the
 * rule. */
status egress_rules_new(const struct egress_options *options, struct egress_rules **ret_rules,
                        struct error *reterr);
void egress_rules_free(struct egress_rules *rules);
void egress_rules_freep(struct egress_rules **rules);

/** Says whether a connection to `address` may be made. `rules` may be NULL: public ones only. */
bool egress_allows(const struct egress_rules *rules, struct egress_address address,
                   bool allow_private);

/** Why no connection to `address` may be made, and what would allow it: "private address 10.0.0.1;
 * it takes tools.egress.private_networks". `address` NULL: of a family that is not known. */
void egress_explain(const struct egress_rules *rules, const struct egress_address *address,
                    bool allow_private, char ret_reason[static EGRESS_REASON_MAX]);

/** The section of the rules; NULL: none. */
const char *egress_section(const struct egress_rules *rules);

/** Says whether `host` (lower case or not, without port) may be reached by plain http. */
bool egress_allows_http(const struct egress_rules *rules, str host);

#endif
