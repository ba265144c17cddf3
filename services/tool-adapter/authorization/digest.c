#include "tool-adapter/authorization/digest.h"

#include "base/attr.h"
#include "base/hash.h"
#include "tool-adapter/authorization/challenge.h"

#include <string.h>
#include <strings.h>

enum { HEX_MAX = SHA256_SIZE * 2 + 1 };

/* --- challenges --------------------------------------------------------------------------------
 */

static bool is_named(str text, const char *name)
{
    return text.len == strlen(name) && strncasecmp(text.ptr, name, text.len) == 0;
}

static bool has_auth(str list)
{
    while (list.len > 0) {
        str token = challenge_token(&list);
        if (is_named(token, "auth")) return true;
        if (token.len == 0) return false;
    }
    return false;
}

/* What one parameter says. False: this challenge cannot be answered. */
static bool note(struct digest_challenge *challenge, str name, str value)
{
    if (is_named(name, "realm")) challenge->realm = value;
    if (is_named(name, "nonce")) challenge->nonce = value;
    if (is_named(name, "stale")) challenge->is_stale = is_named(value, "true");
    if (is_named(name, "opaque")) {
        challenge->opaque     = value;
        challenge->has_opaque = true;
    }
    if (is_named(name, "qop")) {
        challenge->has_qop = has_auth(value);
        return challenge->has_qop; /* auth-int alone is not answered */
    }
    if (!is_named(name, "algorithm")) return true;
    bool is_long          = is_named(value, "SHA-256") || is_named(value, "SHA-256-sess");
    challenge->algorithm  = is_long ? DIGEST_SHA256 : DIGEST_MD5;
    challenge->is_session = is_named(value, "MD5-sess") || is_named(value, "SHA-256-sess");
    return is_long || challenge->is_session || is_named(value, "MD5");
}

static bool take_challenge(str *rest, struct digest_challenge *challenge)
{
    bool is_good             = true;
    enum challenge_part part = CHALLENGE_PARAMETER;
    for (unsigned parts = 0; parts < DIGEST_PARTS_MAX; parts++) {
        str name  = {};
        str value = {};
        part      = challenge_parameter(rest, &name, &value);
        if (part != CHALLENGE_PARAMETER) break;
        is_good = note(challenge, name, value) && is_good;
    }
    return is_good && part != CHALLENGE_BROKEN && challenge->nonce.len > 0 &&
           challenge->nonce.len <= DIGEST_TEXT_MAX && challenge->realm.len <= DIGEST_TEXT_MAX &&
           challenge->opaque.len <= DIGEST_TEXT_MAX;
}

bool digest_challenge_read(str header, struct digest_challenge *ret_challenge)
{
    bool is_found = false;
    for (unsigned i = 0; i < DIGEST_PARTS_MAX && header.len > 0; i++) {
        struct digest_challenge challenge = {};
        str scheme                        = {};
        if (!challenge_scheme(&header, &scheme)) break;
        bool is_good = take_challenge(&header, &challenge);
        if (!is_good || !is_named(scheme, "Digest")) continue;
        if (is_found && challenge.algorithm <= ret_challenge->algorithm) continue;
        *ret_challenge = challenge;
        is_found       = true;
    }
    return is_found;
}

/* --- answers -----------------------------------------------------------------------------------
 */

static void hash(enum digest_algorithm algorithm, str text, char hex[static HEX_MAX])
{
    uint8_t digest[SHA256_SIZE];
    bytes data = {.ptr = text.ptr, .len = text.len};
    if (algorithm == DIGEST_MD5) {
        md5(data, digest);
        hex_encode(digest, MD5_SIZE, hex);
    } else {
        sha256(data, digest);
        hex_encode(digest, SHA256_SIZE, hex);
    }
}

/* The hash of parts with colons between them. */
static void hash_parts(enum digest_algorithm algorithm, const str *parts, size_t count,
                       char hex[static HEX_MAX])
{
    CLEANUP(buf_done) struct buf text = buf_init(64 << 10);
    for (size_t i = 0; i < count; i++) {
        if (i > 0) (void)buf_put_byte(&text, ':');
        (void)buf_put_str(&text, parts[i]);
    }
    hash(algorithm, buf_str(&text), hex);
}

/* `"` and `\` are escaped: what comes from the challenge is escaped already. */
static void put_escaped(struct buf *out, str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '"' || text.ptr[i] == '\\') (void)buf_put_byte(out, '\\');
        (void)buf_put_byte(out, text.ptr[i]);
    }
}

static void response_of(const struct digest_challenge *challenge,
                        const struct digest_request *request, char response[static HEX_MAX])
{
    enum digest_algorithm algorithm = challenge->algorithm;
    char one[HEX_MAX];
    char two[HEX_MAX];
    const str who[] = {request->username, challenge->realm, request->password};
    hash_parts(algorithm, who, ARRAY_LEN(who), one);
    if (challenge->is_session) {
        const str session[] = {str_from(one), challenge->nonce, request->cnonce};
        char of_session[HEX_MAX];
        hash_parts(algorithm, session, ARRAY_LEN(session), of_session);
        memcpy(one, of_session, sizeof one);
    }
    const str what[] = {request->method, request->uri};
    hash_parts(algorithm, what, ARRAY_LEN(what), two);
    const str new_form[] = {str_from(one),   challenge->nonce, str_from("00000001"),
                            request->cnonce, str_from("auth"), str_from(two)};
    const str old_form[] = {str_from(one), challenge->nonce, str_from(two)};
    if (challenge->has_qop) {
        hash_parts(algorithm, new_form, ARRAY_LEN(new_form), response);
    } else {
        hash_parts(algorithm, old_form, ARRAY_LEN(old_form), response);
    }
}

bool digest_answer(const struct digest_challenge *challenge, const struct digest_request *request,
                   struct buf *out)
{
    static const char *const names[][2] = {{"MD5", "MD5-sess"}, {"SHA-256", "SHA-256-sess"}};
    char response[HEX_MAX];
    response_of(challenge, request, response);
    (void)buf_put_text(out, "Digest username=\"");
    put_escaped(out, request->username);
    (void)buf_printf(out,
                     "\", realm=\"" STR_FMT "\", nonce=\"" STR_FMT "\", uri=\"" STR_FMT
                     "\", response=\"%s\", algorithm=%s",
                     STR_ARG(challenge->realm), STR_ARG(challenge->nonce), STR_ARG(request->uri),
                     response, names[challenge->algorithm][challenge->is_session]);
    if (challenge->has_opaque) {
        (void)buf_printf(out, ", opaque=\"" STR_FMT "\"", STR_ARG(challenge->opaque));
    }
    if (challenge->has_qop) (void)buf_put_text(out, ", qop=auth, nc=00000001");
    if (challenge->has_qop || challenge->is_session) {
        (void)buf_printf(out, ", cnonce=\"" STR_FMT "\"", STR_ARG(request->cnonce));
    }
    return !out->is_full;
}
