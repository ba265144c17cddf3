/* The steps and their names are those of AWS: canonical request, text to sign, signing key. */
#include "adapter/sigv4.h"

#include "base/attr.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/hash.h"
#include "http/url.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum {
    STAMP_SIZE = 17, /* "20130524T000000Z" */
    DAY_LEN    = 8,
    HEX_SIZE   = 2 * SHA256_SIZE + 1,
    TEXT_MAX   = 64 << 10, /* bytes of a canonical request */
};

#define ALGORITHM "AWS4-HMAC-SHA256"

/* A header or a pair of the query, ready to be sorted. */
struct pair {
    str name, value;
};

struct signing {
    const struct sigv4_key *key;
    struct arena *arena;
    char stamp[STAMP_SIZE];
    str scope; /* "20130524/us-east-1/s3/aws4_request" */
    struct url url;
};

static status too_large(struct error *reterr)
{
    return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the request is too large to be signed");
}

static str kept(struct signing *signing, const struct buf *buf)
{
    char *copy = buf->is_full ? NULL : arena_strdup(signing->arena, buf_str(buf));
    return (str){.ptr = copy, .len = copy ? buf->len : 0};
}

static int order_of(str a, str b)
{
    size_t shared = a.len < b.len ? a.len : b.len;
    int order     = shared > 0 ? memcmp(a.ptr, b.ptr, shared) : 0;
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static int pair_compare(const void *a, const void *b)
{
    const struct pair *x = a;
    const struct pair *y = b;
    int order            = order_of(x->name, y->name);
    return order != 0 ? order : order_of(x->value, y->value);
}

/* "2013-05-24T00:00:00.000Z" without its signs. */
static void stamp_write(int64_t now_us, char stamp[static STAMP_SIZE])
{
    char text[TIME_TEXT_SIZE];
    size_t len = 0;
    time_format(now_us, text);
    for (const char *at = text; *at && *at != '.' && len < STAMP_SIZE - 2; at++) {
        if (*at != '-' && *at != ':') stamp[len++] = *at;
    }
    stamp[len++] = 'Z';
    stamp[len]   = '\0';
}

/* --- the canonical request -------------------------------------------------------------------- */

/* Decoded and encoded again: there are several ways to write an address, and one to sign it. */
static bool put_encoded(struct buf *out, str text, bool is_path)
{
    CLEANUP(buf_done) struct buf plain = buf_init(OUTGOING_URL_MAX);
    bool is_coded                      = text.len > 0 && memchr(text.ptr, '%', text.len);
    is_coded = is_coded || (!is_path && text.len > 0 && memchr(text.ptr, '+', text.len));
    if (is_coded && !url_decode(&plain, text, !is_path)) return false;
    str decoded = is_coded ? buf_str(&plain) : text;
    return is_path ? url_encode_path(out, decoded) : url_encode(out, decoded);
}

static bool has_dot_segment(str path)
{
    size_t begin = 0;
    for (size_t i = 0; i <= path.len; i++) {
        if (i < path.len && path.ptr[i] != '/') continue;
        str segment = str_slice(path, begin, i);
        if (str_is(segment, ".") || str_is(segment, "..")) return true;
        begin = i + 1;
    }
    return false;
}

static status put_path(const struct signing *signing, struct buf *out, struct error *reterr)
{
    CLEANUP(buf_done) struct buf once = buf_init(OUTGOING_URL_MAX);
    str path                          = signing->url.path;
    if (path.len == 0) path = str_from("/");
    if (has_dot_segment(path) || !put_encoded(&once, path, true)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "the path cannot be signed: it has a segment `.` or `..`, or a stray `%%`");
    }
    bool is_s3 = str_is(signing->key->service, "s3");
    (void)(is_s3 ? buf_put_str(out, buf_str(&once)) : url_encode_path(out, buf_str(&once)));
    return STATUS_OK;
}

static status add_pair(struct signing *signing, str text, struct pair *ret_pair,
                       struct error *reterr)
{
    CLEANUP(buf_done) struct buf name  = buf_init(OUTGOING_URL_MAX);
    CLEANUP(buf_done) struct buf value = buf_init(OUTGOING_URL_MAX);
    const char *equals                 = memchr(text.ptr, '=', text.len);
    size_t end                         = equals ? (size_t)(equals - text.ptr) : text.len;
    if (!put_encoded(&name, str_slice(text, 0, end), false) ||
        !put_encoded(&value, str_slice(text, equals ? end + 1 : end, text.len), false)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "the query cannot be signed: a stray `%%`");
    }
    *ret_pair = (struct pair){.name = kept(signing, &name), .value = kept(signing, &value)};
    return ret_pair->name.ptr && ret_pair->value.ptr ? STATUS_OK : too_large(reterr);
}

static status put_query(struct signing *signing, str query, struct buf *out, struct error *reterr)
{
    struct pair pairs[SIGV4_PAIRS_MAX];
    size_t count = 0;
    size_t begin = 0;
    for (size_t i = 0; i <= query.len; i++) {
        if (i < query.len && query.ptr[i] != '&') continue;
        str text = str_slice(query, begin, i);
        begin    = i + 1;
        if (text.len == 0) continue;
        if (count == SIGV4_PAIRS_MAX) return too_large(reterr);
        TRY(add_pair(signing, text, &pairs[count++], reterr));
    }
    qsort(pairs, count, sizeof *pairs, pair_compare);
    for (size_t i = 0; i < count; i++) {
        if (i > 0) (void)buf_put_byte(out, '&');
        (void)buf_put_str(out, pairs[i].name);
        (void)buf_put_byte(out, '=');
        (void)buf_put_str(out, pairs[i].value);
    }
    return STATUS_OK;
}

/* Headers that libcurl or a proxy may set, change or take away. */
static bool is_signed(str name)
{
    static const char *const loose[] = {
        "user-agent",      "authorization",     "connection", "content-length", "expect", "accept",
        "accept-encoding", "transfer-encoding", "te"};
    for (size_t i = 0; i < ARRAY_LEN(loose); i++) {
        if (name.len == strlen(loose[i]) && strncasecmp(name.ptr, loose[i], name.len) == 0) {
            return false;
        }
    }
    return true;
}

/* Without spaces at its ends, and one for several. */
static bool put_trimmed(struct buf *out, str value)
{
    bool was_space = true;
    for (size_t i = 0; i < value.len; i++) {
        bool is_space = value.ptr[i] == ' ' || value.ptr[i] == '\t';
        if (!is_space && was_space && out->len > 0) (void)buf_put_byte(out, ' ');
        if (!is_space) (void)buf_put_byte(out, value.ptr[i]);
        was_space = is_space;
    }
    return !out->is_full;
}

static status add_header(struct signing *signing, str name, str value, struct pair *ret_pair,
                         struct error *reterr)
{
    CLEANUP(buf_done) struct buf trimmed = buf_init(OUTGOING_URL_MAX);
    char *lower                          = arena_strdup(signing->arena, name);
    if (!lower || !put_trimmed(&trimmed, value)) return too_large(reterr);
    for (size_t i = 0; i < name.len; i++) {
        if (lower[i] >= 'A' && lower[i] <= 'Z') lower[i] = (char)(lower[i] - 'A' + 'a');
    }
    *ret_pair =
        (struct pair){.name = {.ptr = lower, .len = name.len}, .value = kept(signing, &trimmed)};
    return ret_pair->value.ptr ? STATUS_OK : too_large(reterr);
}

/* What the client sends: with the port unless it is the scheme's own. */
static bool put_host(const struct url *url, struct buf *out)
{
    bool is_v6  = memchr(url->host.ptr, ':', url->host.len) != NULL;
    bool is_own = url->port == (url->is_https ? 443 : 80);
    (void)buf_printf(out, is_v6 ? "[" STR_FMT "]" : STR_FMT, STR_ARG(url->host));
    if (!is_own) (void)buf_printf(out, ":%u", url->port);
    return !out->is_full;
}

/* Appends the headers as they are signed; `names` gets "host;range;x-amz-date". */
static status put_headers(struct signing *signing, const struct outgoing *outgoing, struct buf *out,
                          struct buf *names, struct error *reterr)
{
    struct pair pairs[OUTGOING_HEADERS_MAX + 1];
    size_t count                      = 0;
    CLEANUP(buf_done) struct buf host = buf_init(OUTGOING_URL_MAX);
    if (!put_host(&signing->url, &host)) return too_large(reterr);
    TRY(add_header(signing, str_from("host"), buf_str(&host), &pairs[count++], reterr));
    for (size_t i = 0; outgoing && i < outgoing->header_count; i++) {
        const struct outgoing_header *header = &outgoing->headers[i];
        if (!is_signed(header->name)) continue;
        TRY(add_header(signing, header->name, header->value, &pairs[count++], reterr));
    }
    qsort(pairs, count, sizeof *pairs, pair_compare);
    for (size_t i = 0; i < count; i++) {
        (void)buf_put_str(out, pairs[i].name);
        (void)buf_put_byte(out, ':');
        (void)buf_put_str(out, pairs[i].value);
        (void)buf_put_byte(out, '\n');
        if (i > 0) (void)buf_put_byte(names, ';');
        (void)buf_put_str(names, pairs[i].name);
    }
    return STATUS_OK;
}

/* The whole; `outgoing` has the headers, NULL: none but the host. */
static status put_canonical(struct signing *signing, str method, const struct outgoing *outgoing,
                            const char *hash, struct buf *out, struct buf *names,
                            struct error *reterr)
{
    (void)buf_put_str(out, method);
    (void)buf_put_byte(out, '\n');
    TRY(put_path(signing, out, reterr));
    (void)buf_put_byte(out, '\n');
    TRY(put_query(signing, signing->url.query, out, reterr));
    (void)buf_put_byte(out, '\n');
    TRY(put_headers(signing, outgoing, out, names, reterr));
    (void)buf_put_byte(out, '\n');
    (void)buf_put_str(out, buf_str(names));
    (void)buf_put_byte(out, '\n');
    (void)buf_put_text(out, hash);
    return STATUS_OK;
}

/* --- the signature ---------------------------------------------------------------------------- */

static status signing_begin(const struct sigv4_key *key, str url, int64_t now_us,
                            struct arena *arena, struct signing *ret_signing, struct error *reterr)
{
    *ret_signing = (struct signing){.key = key, .arena = arena};
    if (!url_parse(url, &ret_signing->url)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "the address to sign is no URL");
    }
    if (key->secret_key.len > SIGV4_SECRET_MAX) return too_large(reterr);
    stamp_write(now_us, ret_signing->stamp);
    const char *scope =
        arena_printf(arena, "%.*s/" STR_FMT "/" STR_FMT "/aws4_request", DAY_LEN,
                     ret_signing->stamp, STR_ARG(key->region), STR_ARG(key->service));
    if (!scope) return too_large(reterr);
    ret_signing->scope = str_from(scope);
    return STATUS_OK;
}

static void signing_key(const struct signing *signing, uint8_t ret_key[static SHA256_SIZE])
{
    const struct sigv4_key *key = signing->key;
    char first[SIGV4_SECRET_MAX + 5];
    int len           = snprintf(first, sizeof first, "AWS4" STR_FMT, STR_ARG(key->secret_key));
    const str steps[] = {{.ptr = signing->stamp, .len = DAY_LEN},
                         key->region,
                         key->service,
                         str_from("aws4_request")};
    hmac_sha256((bytes){.ptr = first, .len = (size_t)len}, bytes_from(steps[0]), ret_key);
    for (size_t i = 1; i < ARRAY_LEN(steps); i++) {
        uint8_t next[SHA256_SIZE];
        hmac_sha256((bytes){.ptr = ret_key, .len = SHA256_SIZE}, bytes_from(steps[i]), next);
        memcpy(ret_key, next, sizeof next);
    }
    explicit_bzero(first, sizeof first);
}

static status signature_write(const struct signing *signing, const struct buf *canonical,
                              char ret_signature[static HEX_SIZE], struct error *reterr)
{
    uint8_t digest[SHA256_SIZE];
    uint8_t key[SHA256_SIZE];
    char hash[HEX_SIZE];
    CLEANUP(buf_done) struct buf text = buf_init(TEXT_MAX);
    if (canonical->is_full) return too_large(reterr);
    sha256(bytes_from(buf_str(canonical)), digest);
    hex_encode(digest, sizeof digest, hash);
    (void)buf_printf(&text, ALGORITHM "\n%s\n" STR_FMT "\n%s", signing->stamp,
                     STR_ARG(signing->scope), hash);
    if (text.is_full) return too_large(reterr);
    signing_key(signing, key);
    hmac_sha256((bytes){.ptr = key, .len = sizeof key}, bytes_from(buf_str(&text)), digest);
    hex_encode(digest, sizeof digest, ret_signature);
    explicit_bzero(key, sizeof key);
    return STATUS_OK;
}

/* --- a request -------------------------------------------------------------------------------- */

static status add_own(struct signing *signing, const char *hash, struct outgoing *outgoing,
                      struct error *reterr)
{
    str token         = signing->key->session_token;
    const char *stamp = arena_strdup(signing->arena, str_from(signing->stamp));
    const char *copy  = arena_strdup(signing->arena, str_from(hash));
    if (!stamp || !copy) return too_large(reterr);
    TRY(outgoing_add_header(outgoing, "x-amz-date", str_from(stamp), reterr));
    TRY(outgoing_add_header(outgoing, "x-amz-content-sha256", str_from(copy), reterr));
    if (token.len == 0) return STATUS_OK;
    return outgoing_add_header(outgoing, "x-amz-security-token", token, reterr);
}

status sigv4_sign(const struct sigv4_key *key, bytes body, int64_t now_us, struct arena *arena,
                  struct outgoing *outgoing, struct error *reterr)
{
    struct signing signing;
    uint8_t digest[SHA256_SIZE];
    char hash[HEX_SIZE];
    char signature[HEX_SIZE];
    CLEANUP(buf_done) struct buf text  = buf_init(TEXT_MAX);
    CLEANUP(buf_done) struct buf names = buf_init(TEXT_MAX);
    TRY(signing_begin(key, outgoing->url, now_us, arena, &signing, reterr));
    sha256(body, digest);
    hex_encode(digest, sizeof digest, hash);
    TRY(add_own(&signing, hash, outgoing, reterr));

    TRY(put_canonical(&signing, str_from(outgoing->method), outgoing, hash, &text, &names, reterr));
    TRY(signature_write(&signing, &text, signature, reterr));

    const char *value = arena_printf(arena,
                                     ALGORITHM " Credential=" STR_FMT "/" STR_FMT
                                               ", SignedHeaders=" STR_FMT ", Signature=%s",
                                     STR_ARG(key->access_key), STR_ARG(signing.scope),
                                     STR_ARG(buf_str(&names)), key->is_hidden ? "***" : signature);
    if (!value) return too_large(reterr);
    return outgoing_add_header(outgoing, "Authorization", str_from(value), reterr);
}

/* --- an address ------------------------------------------------------------------------------- */

/* The address with all that is signed of its query, the signature excepted. */
static status put_unsigned(struct signing *signing, str url, int64_t expires_s, struct buf *out,
                           struct error *reterr)
{
    const struct sigv4_key *key = signing->key;
    const char *credential      = arena_printf(signing->arena, STR_FMT "/" STR_FMT,
                                               STR_ARG(key->access_key), STR_ARG(signing->scope));
    const char *expires         = arena_printf(signing->arena, "%" PRId64, expires_s);
    if (!credential || !expires) return too_large(reterr);
    (void)buf_put_str(out, url);
    (void)url_add_query(out, str_from("X-Amz-Algorithm"), str_from(ALGORITHM));
    (void)url_add_query(out, str_from("X-Amz-Credential"), str_from(credential));
    (void)url_add_query(out, str_from("X-Amz-Date"), str_from(signing->stamp));
    (void)url_add_query(out, str_from("X-Amz-Expires"), str_from(expires));
    if (key->session_token.len > 0) {
        (void)url_add_query(out, str_from("X-Amz-Security-Token"), key->session_token);
    }
    (void)url_add_query(out, str_from("X-Amz-SignedHeaders"), str_from("host"));
    return out->is_full ? too_large(reterr) : STATUS_OK;
}

/* The signature over `out`, an address with everything else. */
static status sign_address(struct signing *signing, str method, const struct buf *out,
                           char ret_signature[static HEX_SIZE], struct error *reterr)
{
    struct url whole;
    CLEANUP(buf_done) struct buf text  = buf_init(TEXT_MAX);
    CLEANUP(buf_done) struct buf names = buf_init(TEXT_MAX);
    if (!url_parse(buf_str(out), &whole)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "the address to sign is no URL");
    }
    signing->url.query = whole.query;
    TRY(put_canonical(signing, method, NULL, "UNSIGNED-PAYLOAD", &text, &names, reterr));
    return signature_write(signing, &text, ret_signature, reterr);
}

status sigv4_presign(const struct sigv4_key *key, const struct sigv4_grant *grant, int64_t now_us,
                     struct arena *arena, str *ret_url, struct error *reterr)
{
    struct signing signing;
    char signature[HEX_SIZE];
    CLEANUP(buf_done) struct buf out = buf_init(OUTGOING_URL_MAX);
    if (grant->expires_s < 1 || grant->expires_s > SIGV4_EXPIRES_MAX_S) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "a signed address lasts 1 to %d seconds",
                    SIGV4_EXPIRES_MAX_S);
    }
    TRY(signing_begin(key, grant->url, now_us, arena, &signing, reterr));
    TRY(put_unsigned(&signing, grant->url, grant->expires_s, &out, reterr));
    TRY(sign_address(&signing, grant->method, &out, signature, reterr));
    (void)url_add_query(&out, str_from("X-Amz-Signature"),
                        str_from(key->is_hidden ? "***" : signature));
    *ret_url = kept(&signing, &out);
    return ret_url->ptr ? STATUS_OK : too_large(reterr);
}
