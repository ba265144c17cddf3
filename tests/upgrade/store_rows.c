/*
 * The rows of a partition as lines of text, so that data of an earlier release can be kept beside
 * the code and read by people:
 *
 *     store_rows dump FOLDER >FILE       FOLDER holds data.mdb; nobody else uses it
 *     store_rows load FILE FOLDER        makes it; what is there already is overwritten
 *     store_rows format FOLDER NUMBER    as if a release with that format had written it
 *
 * A line is a row: its table, its key in hexadecimal, its value in base64, with a blank between.
 */
#include "base/attr.h"
#include "base/buf.h"
#include "base/hash.h"
#include "base/mem.h"
#include "scheduler/tables/tables.h"
#include "store/backup.h"
#include "store/store.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MAP_SIZE = 256 << 20, LINE_MAX_BYTES = 1 << 20 };

static void must(status code, const struct error *error)
{
    if (code == STATUS_OK) return;
    (void)fprintf(stderr, "store_rows: %s\n", error->text);
    exit(1);
}

_Noreturn static void stop(const char *what)
{
    (void)fprintf(stderr, "store_rows: %s\n", what);
    exit(1);
}

static void print_row(const char *table, bytes key, bytes value)
{
    char hex[2 * STORE_KEY_MAX + 1];
    char *text = mem_new(base64_size(value.len) + 1, 1);
    hex_encode(key.ptr, key.len, hex);
    base64_encode(value.ptr, value.len, text);
    (void)printf("%s %s %s\n", table, hex, text);
    free(text);
}

static void dump(const char *folder)
{
    struct error error                        = {};
    CLEANUP(store_closep) struct store *store = NULL;
    CLEANUP(txn_abortp) struct txn *txn       = NULL;
    const struct scan all                     = {};
    must(store_open_backup(folder, table_names, &store, &error), &error);
    must(txn_begin_read(store, &txn, &error), &error);
    for (unsigned table = 0; table < TABLE_COUNT; table++) {
        CLEANUP(cursor_closep) struct cursor *cursor = NULL;
        bytes key                                    = {};
        bytes value                                  = {};
        must(cursor_open(txn, table, &all, &cursor, &error), &error);
        while (cursor_next(cursor, &key, &value, NULL) == STATUS_OK) {
            print_row(table_names[table], key, value);
        }
    }
}

static struct store *open_or_make(const char *folder)
{
    struct error error                 = {};
    struct store *store                = NULL;
    const struct store_options options = {
        .path = folder, .size_max = MAP_SIZE, .tables = table_names};
    if (mkdir(folder, 0700) != 0 && errno != EEXIST) stop("the folder cannot be made");
    must(store_open(&options, &store, &error), &error);
    return store;
}

static unsigned table_of(const char *name)
{
    for (unsigned table = 0; table < TABLE_COUNT; table++) {
        if (strcmp(table_names[table], name) == 0) return table;
    }
    stop("a table that this release does not have");
}

static void load_line(struct txn *txn, char *line)
{
    struct error error = {};
    char *key          = strchr(line, ' ');
    char *value        = key ? strchr(key + 1, ' ') : NULL;
    if (!value) stop("a line is no row");
    *key++             = '\0';
    *value++           = '\0';
    size_t key_len     = strlen(key) / 2;
    size_t value_len   = 0;
    str encoded        = {value, strcspn(value, "\n")};
    uint8_t *raw_key   = mem_new(key_len + 1, 1);
    uint8_t *raw_value = mem_new(encoded.len + 1, 1);
    if (!hex_decode((str){key, 2 * key_len}, raw_key, key_len) ||
        !base64_decode(encoded, raw_value, &value_len)) {
        stop("a line is no row");
    }
    must(txn_put(txn, table_of(line), (bytes){raw_key, key_len}, (bytes){raw_value, value_len},
                 &error),
         &error);
    free(raw_key);
    free(raw_value);
}

static void load(const char *path, const char *folder)
{
    struct error error                        = {};
    CLEANUP(store_closep) struct store *store = open_or_make(folder);
    struct txn *txn                           = NULL;
    FILE *file                                = fopen(path, "re");
    char *line                                = mem_new(LINE_MAX_BYTES, 1);
    if (!file) stop("the file cannot be opened");
    must(txn_begin_write(store, &txn, &error), &error);
    while (fgets(line, LINE_MAX_BYTES, file)) {
        if (*line != '#') load_line(txn, line);
    }
    must(txn_commit(txn, &error), &error);
    (void)fclose(file);
    free(line);
}

static void set_format(const char *folder, const char *number)
{
    struct error error                        = {};
    CLEANUP(store_closep) struct store *store = open_or_make(folder);
    struct txn *txn                           = NULL;
    uint32_t format                           = htobe32((uint32_t)strtoul(number, NULL, 10));
    must(txn_begin_write(store, &txn, &error), &error);
    must(txn_put(txn, TABLE_META, bytes_from(str_from("format")), (bytes){&format, sizeof format},
                 &error),
         &error);
    must(txn_commit(txn, &error), &error);
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "dump") == 0) {
        dump(argv[2]);
    } else if (argc == 4 && strcmp(argv[1], "load") == 0) {
        load(argv[2], argv[3]);
    } else if (argc == 4 && strcmp(argv[1], "format") == 0) {
        set_format(argv[2], argv[3]);
    } else {
        stop("dump FOLDER | load FILE FOLDER | format FOLDER NUMBER");
    }
    return 0;
}
