#include "http/redact.h"

#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"
#include "http/url.h"

#include <stdlib.h>

static const char stars[] = "***";

/* The forms in which a secret may stand in a text. Percent-encoding at most triples it. */
struct forms {
    size_t count;
    struct buf texts[3 * REDACT_SECRETS_MAX];
};

static void forms_freep(struct forms **forms)
{
    for (size_t i = 0; i < (*forms)->count; i++) buf_done(&(*forms)->texts[i]);
    free(*forms);
}

static struct buf *add_form(struct forms *forms)
{
    struct buf *form = &forms->texts[forms->count++];
    *form            = buf_init(4 * (size_t)REDACT_SECRET_MAX);
    return form;
}

static void add_forms(struct forms *forms, str secret)
{
    if (secret.len < REDACT_SECRET_MIN) return;
    secret = str_slice(secret, 0, REDACT_SECRET_MAX);
    (void)buf_put_str(add_form(forms), secret);
    (void)url_encode(add_form(forms), secret);

    struct buf *base64 = add_form(forms);
    size_t size        = base64_size(secret.len);
    char *text         = buf_reserve(base64, size + 1);
    ASSERT(text);
    base64_encode(secret.ptr, secret.len, text);
    while (size > 0 && text[size - 1] == '=') size--; /* often left out */
    buf_commit(base64, size);
}

/* Length of the longest form that stands at the beginning of `text`; 0 if none does. */
static size_t match(const struct forms *forms, str text)
{
    size_t longest = 0;
    for (size_t i = 0; i < forms->count; i++) {
        str form = buf_str(&forms->texts[i]);
        if (form.len > longest && str_starts_with(text, form)) longest = form.len;
    }
    return longest;
}

bool redact_text(struct buf *out, str text, const str *secrets, size_t count)
{
    ASSERT(count <= REDACT_SECRETS_MAX);
    CLEANUP(forms_freep) struct forms *forms = mem_new(1, sizeof *forms);
    for (size_t i = 0; i < count; i++) add_forms(forms, secrets[i]);

    size_t plain = 0; /* where text begins that was not copied yet */
    for (size_t at = 0; at < text.len;) {
        size_t len = match(forms, str_slice(text, at, text.len));
        if (len == 0) {
            at++;
            continue;
        }
        (void)buf_put_str(out, str_slice(text, plain, at));
        (void)buf_put_text(out, stars);
        at += len;
        plain = at;
    }
    (void)buf_put_str(out, str_slice(text, plain, text.len));
    return !out->is_full;
}

/* "a=1&b" becomes "a=***&***". */
static void put_query(struct buf *out, str query)
{
    while (query.len > 0) {
        const char *end   = memchr(query.ptr, '&', query.len);
        size_t len        = end ? (size_t)(end - query.ptr) : query.len;
        const char *equal = memchr(query.ptr, '=', len);
        if (equal) (void)buf_put_str(out, str_slice(query, 0, (size_t)(equal - query.ptr) + 1));
        (void)buf_put_text(out, stars);
        if (end) (void)buf_put_byte(out, '&');
        query = str_slice(query, len + (end ? 1 : 0), query.len);
    }
}

bool redact_url(struct buf *out, str url)
{
    struct url parts;
    if (!url_parse(url, &parts)) return buf_put_text(out, stars);
    (void)url_put_origin(out, &parts);
    (void)buf_put_str(out, parts.path);
    if (parts.query.len > 0) {
        (void)buf_put_byte(out, '?');
        put_query(out, parts.query);
    }
    return !out->is_full;
}
