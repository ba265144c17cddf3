#include "cli/print.h"

#include "base/assert.h"
#include "base/file.h"
#include "base/label.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "json/json_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { JSON_MAX = 128 << 20, ARGUMENT_MAX = 32 << 20, GAP = 2 };

/* Characters that change the order in which others are shown, so that a text reads as another one:
 * Bidi_Control of the Unicode Character Database (PropList.txt). */
static bool is_bidi_control(uint32_t character)
{
    return character == 0x061c || character == 0x200e || character == 0x200f ||
           (character >= 0x202a && character <= 0x202e) ||
           (character >= 0x2066 && character <= 0x2069);
}

/* Bytes of the control character that begins at `at`; 0: there is none. Also of C1 (U+0080 to
 * U+009F), where terminals know a second form of the escape sequences. */
static size_t control_at(str text, size_t at, uint32_t *ret_character)
{
    unsigned char byte = (unsigned char)text.ptr[at];
    *ret_character     = byte;
    if (byte < 0x20 || byte == 0x7f) return 1;
    str rest     = str_slice(text, at, at + UTF8_BYTES_MAX);
    size_t valid = byte < 0x80 ? 0 : utf8_valid_prefix(rest);
    size_t len   = 0;
    if (valid == 0) return 0;
    *ret_character = utf8_next(str_slice(rest, 0, valid), &len);
    bool is_c1     = *ret_character >= 0x80 && *ret_character < 0xa0;
    return is_c1 || is_bidi_control(*ret_character) ? len : 0;
}

void table_init(struct table *table, const char *const *titles, size_t column_count)
{
    ASSERT(column_count <= TABLE_COLUMNS_MAX);
    *table = (struct table){.column_count = column_count};
    for (size_t i = 0; i < column_count; i++) table->titles[i] = titles[i];
}

void table_done(struct table *table)
{
    free(table->cells);
    *table = (struct table){};
}

void table_add(struct table *table, const str *cells)
{
    if (table->row_count == TABLE_ROWS_MAX) return;
    table->cells = mem_resize(table->cells, table->row_count + 1, sizeof *table->cells);
    for (size_t c = 0; c < table->column_count; c++) {
        char *cell = table->cells[table->row_count][c];
        size_t len = cells[c].len < TABLE_CELL_MAX - 1 ? cells[c].len : TABLE_CELL_MAX - 1;
        for (size_t i = 0; i < len;) {
            uint32_t which = 0;
            size_t control = control_at((str){.ptr = cells[c].ptr, .len = len}, i, &which);
            if (control == 0) cell[i] = cells[c].ptr[i];
            memset(cell + i, ' ', control);
            i += control > 0 ? control : 1;
        }
        len       = utf8_valid_prefix((str){.ptr = cell, .len = len}); /* a cut in a character */
        cell[len] = '\0';
    }
    table->row_count++;
}

static size_t width_of(const struct table *table, size_t column)
{
    size_t width = utf8_length(str_from(table->titles[column]));
    for (size_t r = 0; r < table->row_count; r++) {
        size_t length = utf8_length(str_from(table->cells[r][column]));
        if (length > width) width = length;
    }
    return width;
}

static void print_cell(const char *text, size_t width, bool is_last)
{
    (void)fputs(text, stdout);
    size_t length = utf8_length(str_from(text));
    for (size_t i = length; !is_last && i < width + GAP; i++) (void)putchar(' ');
}

void table_print(const struct table *table)
{
    size_t widths[TABLE_COLUMNS_MAX];
    for (size_t c = 0; c < table->column_count; c++) widths[c] = width_of(table, c);
    for (size_t c = 0; c < table->column_count; c++) {
        print_cell(table->titles[c], widths[c], c + 1 == table->column_count);
    }
    (void)putchar('\n');
    for (size_t r = 0; r < table->row_count; r++) {
        for (size_t c = 0; c < table->column_count; c++) {
            print_cell(table->cells[r][c], widths[c], c + 1 == table->column_count);
        }
        (void)putchar('\n');
    }
}

void print_rows(json answer, const char *const *titles, size_t column_count,
                void (*add_row)(struct table *table, json one))
{
    CLEANUP(table_done) struct table table;
    table_init(&table, titles, column_count);
    json items = json_get_text(answer, "items");
    if (json_is(items, JSON_INVALID)) add_row(&table, answer);
    for (size_t i = 0; i < json_count(items); i++) add_row(&table, json_at(items, i));
    table_print(&table);
}

/* The same document: in texts, where alone they may stand, controls that JSON lets be are escaped.
 */
static void put_document(str text)
{
    size_t from = 0;
    for (size_t i = 0; i < text.len; i++) {
        uint32_t which = 0;
        bool is_layout = (unsigned char)text.ptr[i] < 0x20;
        size_t control = is_layout ? 0 : control_at(text, i, &which);
        if (control == 0) continue;
        (void)fwrite(text.ptr + from, 1, i - from, stdout);
        i += control - 1;
        (void)printf("\\u%04" PRIx32, which);
        from = i + 1;
    }
    if (from < text.len) (void)fwrite(text.ptr + from, 1, text.len - from, stdout);
}

static void print_styled(json value, enum json_style style)
{
    CLEANUP(buf_done) struct buf text = buf_init(JSON_MAX);
    (void)json_print(value, style, &text);
    put_document(buf_str(&text));
    (void)putchar('\n');
    (void)fflush(stdout);
}

void print_json(json value)
{
    print_styled(value, JSON_PRETTY);
}

void print_json_line(json value)
{
    print_styled(value, JSON_COMPACT);
}

void print_clean(FILE *out, const char *before, str text)
{
    (void)fputs(before, out);
    for (size_t i = 0; i < text.len;) {
        uint32_t which = 0;
        size_t control = control_at(text, i, &which);
        (void)fputc(control > 0 ? ' ' : (unsigned char)text.ptr[i], out);
        i += control > 0 ? control : 1;
    }
}

void print_argument(FILE *out, const char *before, str text)
{
    (void)fprintf(out, "%s'", before);
    for (size_t i = 0; i < text.len;) {
        const char *quote = memchr(text.ptr + i, '\'', text.len - i);
        size_t until      = quote ? (size_t)(quote - text.ptr) : text.len;
        print_clean(out, "", str_slice(text, i, until));
        if (quote) (void)fputs("'\\''", out);
        i = until + 1;
    }
    (void)fputc('\'', out);
}

str member(json object, const char *key, const char *otherwise)
{
    json value = json_get_text(object, key);
    return json_is(value, JSON_TEXT) ? json_str(value) : str_from(otherwise);
}

int64_t member_int(json object, const char *key)
{
    int64_t value = 0;
    (void)json_to_int(json_get_text(object, key), &value);
    return value;
}

str member_number(json object, const char *key, char text[static NUMBER_SIZE])
{
    (void)snprintf(text, NUMBER_SIZE, "%" PRId64, member_int(object, key));
    return str_from(text);
}

void print_duration(int64_t ms, struct buf *out)
{
    int64_t seconds = ms / 1000;
    if (ms < 1000) {
        (void)buf_printf(out, "%" PRId64 " ms", ms);
    } else if (seconds < 60) {
        (void)buf_printf(out, "%" PRId64 ".%" PRId64 " s", seconds, ms % 1000 / 100);
    } else if (seconds < 3600) {
        (void)buf_printf(out, "%" PRId64 " min %" PRId64 " s", seconds / 60, seconds % 60);
    } else {
        (void)buf_printf(out, "%" PRId64 " h %" PRId64 " min", seconds / 3600, seconds % 3600 / 60);
    }
}

status read_whole_file(const char *path, struct buf *out, struct error *reterr)
{
    bool is_stdin = str_is(str_from(path), "-");
    return is_stdin ? file_read_stream(stdin, path, out, reterr) : file_read(path, out, reterr);
}

status read_json_argument(const char *argument, json *ret_value, struct error *reterr)
{
    CLEANUP(buf_done) struct buf text = buf_init(ARGUMENT_MAX);
    if (argument[0] == '@' || str_is(str_from(argument), "-")) {
        TRY(read_whole_file(argument[0] == '@' ? argument + 1 : argument, &text, reterr));
    } else {
        (void)buf_put_text(&text, argument);
    }
    return json_parse(buf_str(&text), NULL, ret_value, NULL, reterr);
}

status read_label_argument(const char *argument, json *ret_labels, struct error *reterr)
{
    str key   = {};
    str value = {};
    if (!label_read(str_from(argument), &key, &value)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "--label: KEY=VALUE");
    }
    *ret_labels = json_object_new(1);
    json_object_put(ret_labels, key, json_text_lossy(value));
    return STATUS_OK;
}
