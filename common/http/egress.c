#include "http/egress.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include "base/assert.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* --- Addresses -------------------------------------------------------------------------------- */

static const uint8_t mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};

struct egress_address egress_address_v4(const uint8_t octets[static 4])
{
    struct egress_address address;
    memcpy(address.bytes, mapped_prefix, sizeof mapped_prefix);
    memcpy(address.bytes + sizeof mapped_prefix, octets, 4);
    return address;
}

bool egress_address_parse(str text, struct egress_address *ret_address)
{
    char copy[EGRESS_ADDRESS_MAX];
    if (text.len >= sizeof copy) return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    if (strlen(copy) != text.len) return false;

    uint8_t v4[4];
    if (inet_pton(AF_INET, copy, v4) == 1) {
        *ret_address = egress_address_v4(v4);
        return true;
    }
    copy[strcspn(copy, "%")] = '\0'; /* the zone of a link-local address */
    return inet_pton(AF_INET6, copy, ret_address->bytes) == 1;
}

static bool matches(const uint8_t *address, const uint8_t *network, unsigned bits)
{
    unsigned whole = bits / 8;
    if (memcmp(address, network, whole) != 0) return false;
    if (bits % 8 == 0) return true;
    unsigned mask = 0xffU << (8 - bits % 8) & 0xffU;
    return ((address[whole] ^ network[whole]) & mask) == 0;
}

/* --- Classes ---------------------------------------------------------------------------------- */

/*
 * First match wins. Sources: IANA IPv4 and IPv6 special-purpose address registries; the metadata
 * addresses from the clouds' documentation: 169.254.169.254 (AWS, Azure, Google and most others),
 * 169.254.170.2 and .23 (AWS containers), 100.100.100.200 (Alibaba), 168.63.129.16 (Azure's wire
 * server), 192.0.0.192 (Oracle), fd00:ec2::254 and ::23 (AWS), fd20:ce::254 (Google).
 */
struct v4_range {
    uint8_t network[4];
    uint8_t bits;
    enum egress_class class;
};

static const struct v4_range v4_ranges[] = {
    {{169, 254, 169, 254}, 32, EGRESS_METADATA}, {{169, 254, 170, 2}, 32, EGRESS_METADATA},
    {{169, 254, 170, 23}, 32, EGRESS_METADATA},  {{100, 100, 100, 200}, 32, EGRESS_METADATA},
    {{168, 63, 129, 16}, 32, EGRESS_METADATA},   {{192, 0, 0, 192}, 32, EGRESS_METADATA},
    {{0, 0, 0, 0}, 8, EGRESS_UNSPECIFIED},       {{127, 0, 0, 0}, 8, EGRESS_LOOPBACK},
    {{10, 0, 0, 0}, 8, EGRESS_PRIVATE},          {{172, 16, 0, 0}, 12, EGRESS_PRIVATE},
    {{192, 168, 0, 0}, 16, EGRESS_PRIVATE},      {{169, 254, 0, 0}, 16, EGRESS_LINK_LOCAL},
    {{100, 64, 0, 0}, 10, EGRESS_CGNAT},         {{224, 0, 0, 0}, 4, EGRESS_MULTICAST},
    {{192, 0, 0, 0}, 24, EGRESS_RESERVED},       {{192, 0, 2, 0}, 24, EGRESS_RESERVED},
    {{192, 88, 99, 0}, 24, EGRESS_RESERVED},     {{198, 18, 0, 0}, 15, EGRESS_RESERVED},
    {{198, 51, 100, 0}, 24, EGRESS_RESERVED},    {{203, 0, 113, 0}, 24, EGRESS_RESERVED},
    {{240, 0, 0, 0}, 4, EGRESS_RESERVED},
};

struct v6_range {
    uint8_t network[16];
    uint8_t bits;
    enum egress_class class;
};

static const struct v6_range v6_ranges[] = {
    {{0xfd, 0x00, 0x0e, 0xc2, [14] = 0x02, [15] = 0x54}, 128, EGRESS_METADATA},
    {{0xfd, 0x00, 0x0e, 0xc2, [15] = 0x23}, 128, EGRESS_METADATA},
    {{0xfd, 0x20, 0x00, 0xce, [14] = 0x02, [15] = 0x54}, 128, EGRESS_METADATA},
    {{}, 128, EGRESS_UNSPECIFIED},
    {{[15] = 1}, 128, EGRESS_LOOPBACK},
    {{0xfe, 0x80}, 10, EGRESS_LINK_LOCAL},
    {{0xfe, 0xc0}, 10, EGRESS_PRIVATE},
    {{0xfc}, 7, EGRESS_ULA},
    {{0xff}, 8, EGRESS_MULTICAST},
    {{0x20, 0x01, 0x0d, 0xb8}, 32, EGRESS_RESERVED}, /* documentation */
    {{0x3f, 0xff}, 20, EGRESS_RESERVED},             /* documentation */
    {{0x20, 0x01}, 23, EGRESS_RESERVED}, /* protocol assignments; Teredo is taken first */
    {{0x20}, 3, EGRESS_PUBLIC},          /* 2000::/3, all that is assigned to the world */
};

/* Where IPv4 addresses hide: prefix, and at which byte the address stands. */
static const struct {
    uint8_t network[16];
    uint8_t bits;
    uint8_t offset;
    uint8_t invert; /* Teredo writes the address of the client with all bits flipped */
} embeddings[] = {
    {{[10] = 0xff, [11] = 0xff}, 96, 12, 0},           /* mapped */
    {{[8] = 0xff, [9] = 0xff}, 96, 12, 0},             /* translated, ::ffff:0:a.b.c.d */
    {{0x00, 0x64, 0xff, 0x9b}, 96, 12, 0},             /* NAT64 */
    {{0x00, 0x64, 0xff, 0x9b, 0x00, 0x01}, 48, 12, 0}, /* NAT64, local */
    {{0x20, 0x02}, 16, 2, 0},                          /* 6to4 */
    {{0x20, 0x01, 0x00, 0x00}, 32, 12, 0xff},          /* Teredo */
};

static enum egress_class classify_v4(const uint8_t address[static 4])
{
    for (size_t i = 0; i < ARRAY_LEN(v4_ranges); i++) {
        if (matches(address, v4_ranges[i].network, v4_ranges[i].bits)) return v4_ranges[i].class;
    }
    return EGRESS_PUBLIC;
}

/* Compatible addresses, ::a.b.c.d, but for :: and ::1, which are what they say. */
static bool is_compatible(const uint8_t address[static 16])
{
    static const uint8_t zeros[12] = {};
    if (memcmp(address, zeros, sizeof zeros) != 0) return false;
    return address[12] != 0 || address[13] != 0 || address[14] != 0 || address[15] > 1;
}

enum egress_class egress_classify(struct egress_address address)
{
    if (is_compatible(address.bytes)) return classify_v4(address.bytes + 12);
    for (size_t i = 0; i < ARRAY_LEN(embeddings); i++) {
        if (!matches(address.bytes, embeddings[i].network, embeddings[i].bits)) continue;
        uint8_t v4[4];
        for (size_t k = 0; k < sizeof v4; k++) {
            v4[k] = address.bytes[embeddings[i].offset + k] ^ embeddings[i].invert;
        }
        return classify_v4(v4);
    }
    for (size_t i = 0; i < ARRAY_LEN(v6_ranges); i++) {
        if (matches(address.bytes, v6_ranges[i].network, v6_ranges[i].bits)) {
            return v6_ranges[i].class;
        }
    }
    return EGRESS_RESERVED;
}

const char *egress_class_name(enum egress_class class)
{
    static const char *const names[] = {
        [EGRESS_PUBLIC] = "public",         [EGRESS_UNSPECIFIED] = "unspecified",
        [EGRESS_LOOPBACK] = "loopback",     [EGRESS_PRIVATE] = "private",
        [EGRESS_LINK_LOCAL] = "link-local", [EGRESS_CGNAT] = "CGNAT",
        [EGRESS_ULA] = "unique local",      [EGRESS_MULTICAST] = "multicast",
        [EGRESS_METADATA] = "metadata",     [EGRESS_RESERVED] = "reserved",
    };
    return names[class];
}

/* --- Rules ------------------------------------------------------------------------------------ */

struct network {
    struct egress_address address;
    unsigned bits;
};

struct egress_rules {
    size_t network_count;
    struct network networks[EGRESS_RULES_MAX];
    size_t host_count;
    char *hosts[EGRESS_RULES_MAX]; /* owned */
    const char *section;
};

/* "10.0.0.0/8": the bits count from the beginning of the mapped form. */
static bool parse_network(const char *text, struct network *ret_network)
{
    const char *slash = strchr(text, '/');
    size_t len        = slash ? (size_t)(slash - text) : strlen(text);
    struct network network;
    if (!egress_address_parse((str){.ptr = text, .len = len}, &network.address)) return false;
    unsigned bits_max = memchr(text, ':', len) ? 128 : 32;
    unsigned bits     = bits_max;
    if (slash) {
        char *end          = NULL;
        unsigned long read = strtoul(slash + 1, &end, 10);
        if (slash[1] < '0' || slash[1] > '9' || *end != '\0' || read > bits_max) return false;
        bits = (unsigned)read;
    }
    network.bits = 128 - bits_max + bits;
    *ret_network = network;
    return true;
}

static status add_networks(struct egress_rules *rules, const char *const *texts,
                           struct error *reterr)
{
    for (; texts && *texts; texts++) {
        if (rules->network_count == EGRESS_RULES_MAX) {
            return fail(reterr, STATUS_INVALID_ARGUMENT, "egress: more than %d private networks",
                        EGRESS_RULES_MAX);
        }
        if (!parse_network(*texts, &rules->networks[rules->network_count])) {
            return fail(reterr, STATUS_INVALID_ARGUMENT,
                        "egress: %.60s is no network; write 10.20.0.0/16 or fd00::/8", *texts);
        }
        rules->network_count++;
    }
    return STATUS_OK;
}

static status add_hosts(struct egress_rules *rules, const char *const *hosts, struct error *reterr)
{
    for (; hosts && *hosts; hosts++) {
        if (rules->host_count == EGRESS_RULES_MAX) {
            return fail(reterr, STATUS_INVALID_ARGUMENT, "egress: more than %d hosts for http",
                        EGRESS_RULES_MAX);
        }
        if (**hosts == '\0' || strpbrk(*hosts, "/ @?#")) {
            return fail(reterr, STATUS_INVALID_ARGUMENT, "egress: %.60s is no host name", *hosts);
        }
        rules->hosts[rules->host_count++] = mem_dup(*hosts, strlen(*hosts));
    }
    return STATUS_OK;
}

status egress_rules_new(const struct egress_options *options, struct egress_rules **ret_rules,
                        struct error *reterr)
{
    ASSERT(options);
    CLEANUP(egress_rules_freep) struct egress_rules *rules = mem_new(1, sizeof *rules);
    TRY(add_networks(rules, options->private_allow, reterr));
    TRY(add_hosts(rules, options->http_allow, reterr));
    rules->section = options->section;
    *ret_rules     = TAKE(rules);
    return STATUS_OK;
}

void egress_rules_free(struct egress_rules *rules)
{
    if (!rules) return;
    for (size_t i = 0; i < rules->host_count; i++) free(rules->hosts[i]);
    free(rules);
}

void egress_rules_freep(struct egress_rules **rules)
{
    egress_rules_free(*rules);
}

bool egress_allows(const struct egress_rules *rules, struct egress_address address,
                   bool allow_private)
{
    enum egress_class class = egress_classify(address);
    if (class == EGRESS_PUBLIC) return true;
    if (class == EGRESS_METADATA || !allow_private || !rules) return false;
    for (size_t i = 0; i < rules->network_count; i++) {
        const struct network *network = &rules->networks[i];
        if (matches(address.bytes, network->address.bytes, network->bits)) return true;
    }
    return false;
}

const char *egress_section(const struct egress_rules *rules)
{
    return rules ? rules->section : NULL;
}

static void put_address(struct egress_address address, char ret_text[static EGRESS_ADDRESS_MAX])
{
    bool is_v4          = memcmp(address.bytes, mapped_prefix, sizeof mapped_prefix) == 0;
    const uint8_t *from = is_v4 ? address.bytes + sizeof mapped_prefix : address.bytes;
    if (!inet_ntop(is_v4 ? AF_INET : AF_INET6, from, ret_text, EGRESS_ADDRESS_MAX)) {
        ret_text[0] = '\0';
    }
}

void egress_explain(const struct egress_rules *rules, const struct egress_address *address,
                    bool allow_private, char ret_reason[static EGRESS_REASON_MAX])
{
    char text[EGRESS_ADDRESS_MAX];
    char way[EGRESS_REASON_MAX] = "";
    const char *section         = egress_section(rules);
    if (!address) {
        (void)snprintf(ret_reason, EGRESS_REASON_MAX, "unknown address");
        return;
    }
    bool is_listed = egress_allows(rules, *address, true);
    put_address(*address, text);
    if (egress_classify(*address) == EGRESS_METADATA) {
        (void)snprintf(way, sizeof way, ", which nothing allows");
    } else if (section && (!is_listed || !allow_private)) {
        (void)snprintf(way, sizeof way, "; it takes %s%s%s%s", is_listed ? "" : section,
                       is_listed ? "" : ".private_networks",
                       is_listed || allow_private ? "" : " and ",
                       allow_private ? "" : "`allow_private` of the connection");
    }
    (void)snprintf(ret_reason, EGRESS_REASON_MAX, "%s address %.45s%.110s",
                   egress_class_name(egress_classify(*address)), text, way);
}

bool egress_allows_http(const struct egress_rules *rules, str host)
{
    for (size_t i = 0; rules && i < rules->host_count; i++) {
        const char *allowed = rules->hosts[i];
        if (strlen(allowed) == host.len && strncasecmp(allowed, host.ptr, host.len) == 0) {
            return true;
        }
    }
    return false;
}

bool egress_address_of(const struct sockaddr *address, struct egress_address *ret_address)
{
    if (address->sa_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, address, sizeof v4);
        uint8_t octets[4];
        memcpy(octets, &v4.sin_addr, sizeof octets);
        *ret_address = egress_address_v4(octets);
        return true;
    }
    if (address->sa_family != AF_INET6) return false;
    struct sockaddr_in6 v6;
    memcpy(&v6, address, sizeof v6);
    memcpy(ret_address->bytes, &v6.sin6_addr, sizeof ret_address->bytes);
    return true;
}
