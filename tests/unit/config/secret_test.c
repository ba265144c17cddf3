/* What a file with a secret may hold. */
#include "config/secret.h"

#include "base/attr.h"
#include "support/cmocka.h"
#include "support/keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ARENA_BYTES = 1 << 16 };

static const struct secret_row {
    const char *name, *text;
    size_t length;   /* of the secret, which is the beginning of the text */
    const char *why; /* NULL: it is one */
} rows[] = {
    {"a line", "s3cr3t", 6, NULL},
    {"its end is no part of it", "s3cr3t\n", 6, NULL},
    {"a key has several lines", P256_PEM, sizeof P256_PEM - 2, NULL},
    {"nothing else has", "s3cr3t\nmore\n", 0, "more than one line"},
    {"nothing", "", 0, "empty"},
    {"an empty line", "\n", 0, "empty"},
};

static void check(void **state)
{
    const struct secret_row *row             = *state;
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_BYTES);
    char path[]                              = "/tmp/secret-XXXXXX";
    struct error error                       = {};
    str secret                               = {};
    int fd                                   = mkstemp(path);
    assert_int_equal(write(fd, row->text, strlen(row->text)), strlen(row->text));
    (void)close(fd);
    status code = secret_read(arena, path, &secret, &error);
    (void)unlink(path);
    assert_int_equal(code, row->why ? STATUS_INVALID_ARGUMENT : STATUS_OK);
    if (row->why) {
        assert_non_null(strstr(error.text, row->why));
        assert_null(strstr(error.text, "s3cr3t"));
    } else {
        assert_int_equal(secret.len, row->length);
        assert_memory_equal(secret.ptr, row->text, row->length);
    }
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_LEN(rows)];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        tests[i] = row_test(rows[i].name, check, &rows[i]);
    }
    return cmocka_run_group_tests_name("secret", tests, NULL, NULL);
}
