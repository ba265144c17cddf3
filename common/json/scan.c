#include "json/json_scan.h"

#include "base/utf8.h"
#include "json/json_internal.h"

enum { VALUES_MAX = 100'000, ESCAPE_LEN = 6 /* \uXXXX */, DIGITS_MAX = 18 /* of any int64 */ };

#define HIGHS UINT64_C(0x8080808080808080) /* bits of bytes that are not ASCII */

void json_scan_init(struct json_scan *scan, str text, uint32_t values_max)
{
    /* The levels and keys are written before they are read. */
    scan->at          = text.len > 0 ? text.ptr : "";
    scan->end         = scan->at + text.len;
    scan->is_broken   = false;
    scan->values_left = values_max > 0 ? values_max : VALUES_MAX;
    scan->printed     = 0;
    scan->depth       = 0;
    scan->key_count   = 0;
}

static void break_off(struct json_scan *scan)
{
    scan->is_broken = true;
    scan->at        = scan->end;
}

static void skip_blanks(struct json_scan *scan)
{
    const char *at = scan->at;
    while (at < scan->end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')) at++;
    scan->at = at;
}

/* What stands next, behind blanks; '\0': the end, or a NUL, which nothing begins with. */
static inline char next(struct json_scan *scan)
{
    if (scan->at < scan->end && (unsigned char)*scan->at > ' ') return *scan->at;
    skip_blanks(scan);
    return scan->at < scan->end ? *scan->at : '\0';
}

char json_scan_peek(const struct json_scan *scan)
{
    return scan->at < scan->end ? *scan->at : '\0';
}

/* --- texts -------------------------------------------------------------------------------------
 */

/* The code unit of the escape \uXXXX at `at`, or -1. */
static int32_t unit_at(const char *at, const char *end)
{
    int32_t unit = 0;
    if (end - at < ESCAPE_LEN || at[0] != '\\' || at[1] != 'u') return -1;
    for (int i = 2; i < ESCAPE_LEN; i++) {
        char c    = at[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0) return -1;
        unit = unit * 16 + digit;
    }
    return unit;
}

/* Bytes of a character as json_print_text() writes it. */
static size_t printed_size(uint32_t code, size_t size)
{
    bool is_short = code == '"' || code == '\\' || code == '\b' || code == '\f' || code == '\n' ||
                    code == '\r' || code == '\t';
    if (is_short) return 2;
    return code < 0x20 || code == 0x7f ? ESCAPE_LEN : size;
}

/* Of the escape at scan->at: how many bytes it has in the text and printed. */
static bool read_unit(struct json_scan *scan, size_t *ret_size, size_t *ret_printed)
{
    char encoded[UTF8_BYTES_MAX];
    int32_t unit  = unit_at(scan->at, scan->end);
    uint32_t code = (uint32_t)unit;
    if (unit < 0 || (unit >= 0xdc00 && unit < 0xe000)) return false;
    scan->at += ESCAPE_LEN;
    if (unit >= 0xd800 && unit < 0xdc00) {
        int32_t low = unit_at(scan->at, scan->end);
        if (low < 0xdc00 || low >= 0xe000) return false;
        code = 0x10000 + (((uint32_t)unit - 0xd800) << 10) + ((uint32_t)low - 0xdc00);
        scan->at += ESCAPE_LEN;
    }
    *ret_size    = utf8_encode(code, encoded);
    *ret_printed = printed_size(code, *ret_size);
    return true;
}

static bool read_escape(struct json_scan *scan, size_t *ret_size, size_t *ret_printed)
{
    char name    = scan->end - scan->at < 2 ? '\0' : scan->at[1];
    *ret_size    = 1;
    *ret_printed = name == '/' ? 1 : 2;
    switch (name) {
    case 'u': return read_unit(scan, ret_size, ret_printed);
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't': scan->at += 2; return true;
    default: return false;
    }
}

/* Most texts have neither escapes nor bytes that are not ASCII. False: this one may have some. */
static inline bool read_plain(struct json_scan *scan, str *ret_text)
{
    uint64_t high    = 0;
    const char *from = scan->at + 1;
    size_t len       = json_plain_len(from, scan->end, &high);
    if (from + len == scan->end || from[len] != '"' || (high & HIGHS)) return false;
    *ret_text = (str){.ptr = from, .len = len};
    scan->at  = from + len + 1;
    scan->printed += len + 2;
    return true;
}

/* The text whose first quote is at scan->at. */
static void read_any(struct json_scan *scan, struct json_scan_text *text)
{
    uint64_t high    = 0;
    const char *from = scan->at + 1;
    size_t more      = 0; /* bytes that the text has less than it is spelled with */
    size_t printed   = 2;
    text->is_plain   = true;
    scan->at         = from;
    for (;;) {
        size_t len  = json_plain_len(scan->at, scan->end, &high);
        size_t size = 1;
        size_t out  = ESCAPE_LEN; /* of DEL */
        scan->at += len;
        printed += len;
        if (scan->at == scan->end || *scan->at == '"') break;
        const char *special = scan->at;
        if (*special == '\\' ? !read_escape(scan, &size, &out) : *special != 0x7f) {
            break_off(scan);
            return;
        }
        if (*special == 0x7f) scan->at++;
        if (*special == '\\') text->is_plain = false;
        more += (size_t)(scan->at - special) - size;
        printed += out;
    }
    text->raw   = (str){.ptr = from, .len = (size_t)(scan->at - from)};
    bool is_cut = scan->at == scan->end;
    if (is_cut || ((high & HIGHS) && utf8_valid_prefix(text->raw) != text->raw.len)) {
        break_off(scan);
        return;
    }
    text->size = text->raw.len - more;
    scan->printed += printed;
    scan->at++;
}

static inline void read_text(struct json_scan *scan, struct json_scan_text *text)
{
    if (read_plain(scan, &text->raw)) {
        text->size     = text->raw.len;
        text->is_plain = true;
    } else {
        read_any(scan, text);
    }
}

static void count_value(struct json_scan *scan)
{
    if (scan->values_left == 0) {
        break_off(scan);
    } else {
        scan->values_left--;
    }
}

void json_scan_text(struct json_scan *scan, struct json_scan_text *ret_text)
{
    *ret_text = (struct json_scan_text){};
    count_value(scan);
    if (next(scan) != '"') {
        break_off(scan);
        return;
    }
    read_text(scan, ret_text);
    if (scan->is_broken) *ret_text = (struct json_scan_text){};
}

/* --- containers --------------------------------------------------------------------------------
 */

void json_scan_open(struct json_scan *scan, char bracket)
{
    count_value(scan);
    if (next(scan) != bracket || scan->depth == JSON_SCAN_DEPTH_MAX) {
        break_off(scan);
        return;
    }
    scan->levels[scan->depth++] =
        (struct json_scan_level){.first_key = scan->key_count, .is_object = bracket == '{'};
    scan->printed += 2;
    scan->at++;
}

/* To the next member or item; false: there is none. */
static inline bool go_on(struct json_scan *scan, bool is_object)
{
    if (scan->is_broken) return false;
    ASSERT(scan->depth > 0);
    struct json_scan_level *level = &scan->levels[scan->depth - 1];
    ASSERT(level->is_object == is_object);
    char c = next(scan);
    if (c == (is_object ? '}' : ']')) {
        scan->key_count = level->first_key;
        scan->depth--;
        scan->at++;
        return false;
    }
    if (level->has_any) {
        if (c != ',') {
            break_off(scan);
            return false;
        }
        scan->at++;
        scan->printed++;
        (void)next(scan);
    }
    level->has_any = true;
    return true;
}

/* Of its length and its first bytes: other marks, other keys. */
static inline uint64_t mark_of(const struct json_scan *scan, str key)
{
    uint64_t first = 0;
    if (scan->end - key.ptr >= (ptrdiff_t)sizeof first) {
        memcpy(&first, key.ptr, sizeof first);
        first = le64toh(first); /* the first byte is the lowest */
        if (key.len < sizeof first) first &= (UINT64_C(1) << 8 * key.len) - 1;
    } else {
        for (size_t i = 0; i < key.len; i++) first |= (uint64_t)(unsigned char)key.ptr[i] << 8 * i;
    }
    return first ^ (uint64_t)key.len << 56;
}

/* False: the object has it already, or too many. */
static bool keep_key(struct json_scan *scan, str key)
{
    uint32_t first = scan->levels[scan->depth - 1].first_key;
    uint64_t mark  = mark_of(scan, key);
    if (scan->key_count == JSON_SCAN_KEYS_MAX) return false;
    if (scan->key_count - first == JSON_SCAN_MEMBERS_MAX) return false;
    for (uint32_t i = first; i < scan->key_count; i++) {
        if (scan->keys[i].mark == mark && str_equal(scan->keys[i].key, key)) return false;
    }
    scan->keys[scan->key_count++] = (struct json_scan_key){.mark = mark, .key = key};
    return true;
}

bool json_scan_member(struct json_scan *scan, str *ret_key)
{
    str key = {};
    if (!go_on(scan, true)) return false;
    bool is_fine = next(scan) == '"' && read_plain(scan, &key) && next(scan) == ':';
    if (!is_fine || !keep_key(scan, key)) {
        break_off(scan);
        return false;
    }
    *ret_key = key;
    scan->at++;
    scan->printed++;
    (void)next(scan);
    return true;
}

bool json_scan_item(struct json_scan *scan)
{
    return go_on(scan, false);
}

/* --- any value ---------------------------------------------------------------------------------
 */

static void skip_word(struct json_scan *scan, const char *word)
{
    size_t size = strlen(word);
    if ((size_t)(scan->end - scan->at) < size || memcmp(scan->at, word, size) != 0) {
        break_off(scan);
        return;
    }
    scan->at += size;
    scan->printed += size;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Most numbers are small, whole and positive, and are printed as they are spelled. */
static void skip_number(struct json_scan *scan)
{
    const char *at = scan->at;
    while (at < scan->end && is_digit(*at) && at - scan->at < DIGITS_MAX) at++;
    bool is_whole = at > scan->at && at < scan->end && !is_digit(*at) && *at != '.' && *at != 'e' &&
                    *at != 'E' && (*scan->at != '0' || at - scan->at == 1);
    if (is_whole) {
        scan->printed += (size_t)(at - scan->at);
        scan->at = at;
        return;
    }
    json number       = json_null();
    const char *fault = NULL;
    char text[JSON_NUMBER_SIZE];
    const char *after = json_number_read(scan->at, scan->end, &number, &fault);
    if (!after) {
        break_off(scan);
        return;
    }
    scan->printed += json_number_format(number, text);
    scan->at = after;
}

/* Reads a value, or enters it. */
static void skip_one(struct json_scan *scan)
{
    struct json_scan_text text = {};
    char c                     = next(scan);
    if (c == '{' || c == '[') {
        json_scan_open(scan, c);
        return;
    }
    count_value(scan);
    switch (scan->is_broken ? '\0' : c) {
    case '\0': break_off(scan); return;
    case '"': read_text(scan, &text); return;
    case 't': skip_word(scan, "true"); return;
    case 'f': skip_word(scan, "false"); return;
    case 'n': skip_word(scan, "null"); return;
    default: skip_number(scan); return;
    }
}

void json_scan_skip(struct json_scan *scan)
{
    uint32_t floor = scan->depth;
    skip_one(scan);
    while (!scan->is_broken && scan->depth > floor) {
        str key      = {};
        bool is_more = scan->levels[scan->depth - 1].is_object ? json_scan_member(scan, &key)
                                                               : json_scan_item(scan);
        if (is_more) skip_one(scan);
    }
}

bool json_scan_end(struct json_scan *scan)
{
    skip_blanks(scan);
    return !scan->is_broken && scan->depth == 0 && scan->at == scan->end;
}
