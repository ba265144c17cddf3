/*
 * The forms of a text are prepared once; a value is printed, looked through, and parsed again only
 * if something was found. Only the inside of strings is looked at, so that the result is JSON.
 */
#include "json/json_mask.h"

#include "base/hash.h"
#include "base/mem.h"
#include "json/json_internal.h"
#include "json/json_text.h"

#include <stdlib.h>
#include <string.h>

enum {
    /* Itself, percent-encoded, base64 at three places, url-safe. Lines come on top, so that one
     * text of many leaves room for those that come after it. */
    FORMS_MAX = 9 * MASK_TEXTS_MAX + MASK_LINES_MAX,
    TEXT_MAX  = 64 << 20, /* bytes of a value as JSON */
    GROUP     = 3,        /* bytes that base64 makes four letters of */
    HEAD      = 4,        /* bytes by which forms are found */
    HEAD_BITS = 12,
};
#define FILL "***"

static_assert((int)HEAD <= (int)MASK_LEN_MIN && (int)FORMS_MAX < UINT16_MAX);

struct json_mask {
    size_t text_count;
    size_t line_count;
    size_t form_count;
    str forms[FORMS_MAX]; /* as they stand in JSON, without quotes; owned */
    /* Forms that begin alike are a chain: numbers from 1, 0 ends it. Every byte of a value is
     * looked up, so going through all forms would take seconds with a few keys of many lines. */
    uint16_t heads[1 << HEAD_BITS], next[FORMS_MAX];
};

struct json_mask *json_mask_new(void)
{
    return mem_new(1, sizeof(struct json_mask));
}

void json_mask_free(struct json_mask *mask)
{
    if (!mask) return;
    for (size_t i = 0; i < mask->form_count; i++) free((char *)(uintptr_t)mask->forms[i].ptr);
    free(mask);
}

void json_mask_freep(struct json_mask **mask)
{
    json_mask_free(*mask);
    *mask = NULL;
}

/* --- forms ------------------------------------------------------------------------------------ */

/* Where the chain of what begins so is; of at least HEAD bytes. */
static size_t head_of(const char *text)
{
    uint32_t first;
    static_assert(sizeof first == HEAD);
    memcpy(&first, text, sizeof first);
    return (first * UINT32_C(0x9e3779b1)) >> (32 - HEAD_BITS); /* 2^32 by the golden ratio */
}

/* As it stands in JSON. Short ones and known ones are left out. */
static bool add_form(struct json_mask *mask, str text)
{
    CLEANUP(buf_done) struct buf quoted = buf_init(6 * text.len + 3); /* \u0000 for each byte */
    if (text.len < MASK_LEN_MIN || mask->form_count == FORMS_MAX) return false;
    if (!json_print_text(text, &quoted)) return false;
    str form       = str_slice(buf_str(&quoted), 1, quoted.len - 1);
    uint16_t *head = &mask->heads[head_of(form.ptr)];
    for (size_t i = *head; i > 0; i = mask->next[i - 1]) {
        if (str_equal(mask->forms[i - 1], form)) return false;
    }
    mask->next[mask->form_count]    = *head;
    mask->forms[mask->form_count++] = (str){.ptr = mem_dup(form.ptr, form.len), .len = form.len};
    *head                           = (uint16_t)mask->form_count;
    return true;
}

static void add_percent_encoded(struct json_mask *mask, str text)
{
    static const char hex[]           = "0123456789ABCDEF";
    CLEANUP(buf_done) struct buf form = buf_init(3 * text.len + 1);
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c  = (uint8_t)text.ptr[i];
        bool keeps = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '-' || c == '.' || c == '_' || c == '~';
        if (!keeps) {
            (void)buf_put_byte(&form, '%');
            (void)buf_put_byte(&form, hex[c >> 4]);
        }
        (void)buf_put_byte(&form, keeps ? (char)c : hex[c & 15]);
    }
    (void)add_form(mask, buf_str(&form));
}

/* Base64 of something that holds the text behind `lead` bytes (of a group of three): the letters
 * that depend on nothing but the text. */
static void add_base64(struct json_mask *mask, str text, size_t lead)
{
    size_t size = lead + text.len;
    char *whole = mem_new(size, 1);
    char *form  = mem_new(base64_size(size) + 1, 1);
    memcpy(whole + lead, text.ptr, text.len);
    base64_encode(whole, size, form);
    size_t from  = (lead * 8 + 5) / 6;
    size_t until = size * 8 / 6;
    (void)add_form(mask, (str){.ptr = form + from, .len = until - from});
    for (size_t i = from; i < until; i++) {
        if (form[i] == '+') form[i] = '-';
        if (form[i] == '/') form[i] = '_';
    }
    (void)add_form(mask, (str){.ptr = form + from, .len = until - from});
    free(form);
    free(whole);
}

/* Of a text of several lines, such as a key in PEM, each line that says something: others show
 * lines one by one. What frames a key is no secret. */
static void add_lines(struct json_mask *mask, str text)
{
    size_t from = 0;
    for (size_t i = 0; i <= text.len; i++) {
        if (i < text.len && text.ptr[i] != '\n') continue;
        size_t until = i > from && text.ptr[i - 1] == '\r' ? i - 1 : i;
        str line     = str_slice(text, from, until);
        from         = i + 1;
        if (line.len < MASK_LINE_MIN || line.len == text.len) continue;
        if (str_starts_with(line, str_from("-----"))) continue;
        if (mask->line_count < MASK_LINES_MAX && add_form(mask, line)) mask->line_count++;
    }
}

void json_mask_add(struct json_mask *mask, str text)
{
    if (text.len < MASK_LEN_MIN || mask->text_count == MASK_TEXTS_MAX) return;
    mask->text_count++;
    (void)add_form(mask, text);
    add_lines(mask, text);
    if (text.len > MASK_LEN_MAX) return;
    add_percent_encoded(mask, text);
    for (size_t lead = 0; lead < GROUP; lead++) add_base64(mask, text, lead);
}

void json_mask_add_all(struct json_mask *mask, json value)
{
    if (json_is(value, JSON_TEXT)) json_mask_add(mask, json_str(value));
    if (!json_is_container(value)) return;
    CLEANUP(json_walk_done) struct json_walk walk;
    json_walk_init(&walk);
    (void)json_walk_push(&walk, value);
    while (walk.depth > 0) {
        struct json_level *level = &walk.levels[walk.depth - 1];
        if (level->position == json_count(level->container)) {
            json_walk_pop(&walk);
            continue;
        }
        size_t i    = level->position++;
        json member = json_is(level->container, JSON_ARRAY) ? json_at(level->container, i)
                                                            : json_value_at(level->container, i);
        if (json_is(member, JSON_TEXT)) json_mask_add(mask, json_str(member));
        if (json_is_container(member)) (void)json_walk_push(&walk, member);
    }
}

/* --- hiding ----------------------------------------------------------------------------------- */

/* Bytes of the longest form that `text` begins with. */
static size_t form_at(const struct json_mask *mask, str text)
{
    size_t longest = 0;
    if (text.len < HEAD) return 0;
    for (size_t i = mask->heads[head_of(text.ptr)]; i > 0; i = mask->next[i - 1]) {
        str form = mask->forms[i - 1];
        if (form.len > longest && str_starts_with(text, form)) longest = form.len;
    }
    return longest;
}

/* Copies JSON text, with what is known inside of strings replaced. False: there was nothing. */
static bool replace(const struct json_mask *mask, str text, struct buf *out)
{
    bool is_inside = false;
    bool is_found  = false;
    for (size_t i = 0; i < text.len;) {
        size_t hidden = is_inside ? form_at(mask, str_slice(text, i, text.len)) : 0;
        if (hidden > 0) {
            (void)buf_put_text(out, FILL);
            is_found = true;
            i += hidden;
            continue;
        }
        bool is_escape = is_inside && text.ptr[i] == '\\';
        size_t size    = is_escape ? 2 : 1; /* what follows a backslash ends no string */
        if (text.ptr[i] == '"') is_inside = !is_inside;
        (void)buf_put_str(out, str_slice(text, i, i + size));
        i += size;
    }
    return is_found && !out->is_full;
}

json json_mask_apply(const struct json_mask *mask, json value)
{
    CLEANUP(buf_done) struct buf text   = buf_init(TEXT_MAX);
    CLEANUP(buf_done) struct buf masked = buf_init(TEXT_MAX);
    const struct json_limits limits     = {
            .depth_max = UINT32_MAX, .values_max = UINT32_MAX, .allow_duplicate_keys = true};
    json result = json_invalid();
    if (mask->form_count == 0 || json_is(value, JSON_INVALID)) return json_ref(value);
    if (!json_print(value, JSON_COMPACT, &text)) return json_text_from(FILL);
    if (!replace(mask, buf_str(&text), &masked)) {
        return masked.is_full ? json_text_from(FILL) : json_ref(value);
    }
    status parsed = json_parse(buf_str(&masked), &limits, &result, NULL, NULL);
    return parsed == STATUS_OK ? result : json_text_from(FILL);
}
