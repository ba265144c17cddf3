/** print: tables for people, JSON for programs. */
#ifndef CLI_PRINT_H
#define CLI_PRINT_H

#include "base/buf.h"
#include "base/status.h"
#include "json/json.h"

#include <stddef.h>
#include <stdio.h>

enum { TABLE_COLUMNS_MAX = 12, TABLE_ROWS_MAX = 1'000, TABLE_CELL_MAX = 200 /* bytes */ };

/** Rows are collected, then printed with columns as wide as they need to be. */
struct table {
    const char *titles[TABLE_COLUMNS_MAX];
    size_t column_count;
    char (*cells)[TABLE_COLUMNS_MAX][TABLE_CELL_MAX]; /* owned */
    size_t row_count;
};

void table_init(struct table *table, const char *const *titles, size_t column_count);
void table_done(struct table *table);
/** Cells are copied; control characters and line ends become blanks. */
void table_add(struct table *table, const str *cells);
void table_print(const struct table *table);

/** Prints a table with a row for each of the `items` of a list, or one for `answer` itself if it is
 * none. */
void print_rows(json answer, const char *const *titles, size_t column_count,
                void (*add_row)(struct table *table, json one));

/** The document, pretty, and a line end. */
void print_json(json value);

/** The document on one line. */
void print_json_line(json value);

/** `before`, then `text` with blanks for its control characters: what came from elsewhere must not
 * steer the terminal. */
void print_clean(FILE *out, const char *before, str text);

/** The same, with the text as one argument of a shell: a command that somebody pastes must not do
 * more than it says. */
void print_argument(FILE *out, const char *before, str text);

/** The text of a member, or `otherwise`. */
str member(json object, const char *key, const char *otherwise);

enum { NUMBER_SIZE = 24 };

/** The whole number of a member; 0 if there is none. */
int64_t member_int(json object, const char *key);

/** The same as text, in `text`. */
str member_number(json object, const char *key, char text[static NUMBER_SIZE]);

/** "3.2 s", "1 min 4 s", "2 h 5 min". */
void print_duration(int64_t ms, struct buf *out);

/** Reads a JSON argument: the text itself, or @FILE, or - for standard input. Owned. */
status read_json_argument(const char *argument, json *ret_value, struct error *reterr);

/** Reads a label argument (base/label.h) as the object that the API takes: {KEY: VALUE}. Owned.
 * INVALID_ARGUMENT names the flag. */
status read_label_argument(const char *argument, json *ret_labels, struct error *reterr);

/** Reads a whole file ("-": standard input) of at most `size_max` bytes into `out`. */
status read_whole_file(const char *path, struct buf *out, struct error *reterr);

#endif
