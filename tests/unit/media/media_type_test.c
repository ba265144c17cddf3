/* What files are, and which are kept. */
#include "media/media_type.h"

#include "base/attr.h"
#include "cmocka.h"

#include <string.h>

#define BYTES(text) text, sizeof(text) - 1

/* An archive with the file a.txt. */
#define ARCHIVE                                                                                    \
    "\120\113\003\004\024\000\000\000\000\000\113\022\167\135\203\026\334\214\001\000"             \
    "\000\000\001\000\000\000\005\000\000\000\141\056\164\170\164\170\120\113\001\002"             \
    "\024\003\024\000\000\000\000\000\113\022\167\135\203\026\334\214\001\000\000\000"             \
    "\001\000\000\000\005\000\000\000\000\000\000\000\000\000\000\000\200\001\000\000"             \
    "\000\000\141\056\164\170\164\120\113\005\006\000\000\000\000\001\000\001\000\063"             \
    "\000\000\000\044\000\000\000\000\000"

static const struct {
    const char *head;
    size_t len;
    const char *declared;
    const char *type; /* or the code of the refusal */
} rows[] = {
    {BYTES("plain words"), "", "text/plain"},
    {BYTES("plain words"), "Text/Plain; charset=utf-8", "text/plain"},
    {BYTES("# Title\n\ntext\n"), "text/x-markdown", "text/markdown"},
    {BYTES("#include <stdio.h>\nint main(void) { return 0; }\n"), "", "text/plain"},
    {BYTES("<!DOCTYPE html><html><body>x</body></html>"), "", "text/html"},
    {BYTES("<!DOCTYPE html><html><body>x</body></html>"), "text/html", "text/html"},
    {BYTES("words with <b>marks</b>"), "text/html", "text/html"},
    {BYTES("{\"a\":1}"), "application/octet-stream", "application/json"},
    {BYTES("{\"a\":1}"), "text/plain", "text/plain"},
    {BYTES("a;b\n1;2\n"), "text/csv", "text/csv"},
    {BYTES("%PDF-1.4\n"), "", "application/pdf"},
    {BYTES("%PDF-1.4\n"), "application/pdf", "application/pdf"},
    {BYTES("GIF89a\1\0\1\0\x80\0\0"), "image/gif", "image/gif"},
    {BYTES(ARCHIVE), "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
     "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
    {BYTES(ARCHIVE), "", "media_type_not_allowed"},
    {BYTES(ARCHIVE), "text/plain", "media_type_not_allowed"},
    {BYTES("%PDF-1.4\n"), "text/plain", "media_type_mismatch"},
    {BYTES("plain words"), "image/png", "media_type_mismatch"},
    {BYTES("plain words"), "video/mp4", "media_type_not_allowed"},
    {BYTES("--x\r\n"), "multipart/form-data; boundary=x", "media_type_not_allowed"},
    {BYTES("plain words"), "x\r\ny", "media_type_not_allowed"},
    {BYTES("#!/bin/sh\necho\n"), "", "media_type_not_allowed"},
    {BYTES("#!/bin/sh\necho\n"), "text/plain", "media_type_not_allowed"},
    {BYTES("\x7f"
           "ELF\2\1\1\0\0\0\0\0\0\0\0\0\2\0\x3e\0\1\0\0\0"),
     "", "media_type_not_allowed"},
    {BYTES("MZ\x90\0\3\0\0\0\4\0\0\0\xff\xff\0\0"), "application/pdf", "media_type_not_allowed"},
    {BYTES("\0\1\2\3\4\5"), "", "media_type_not_allowed"},
};

static const struct {
    const char *head;
    size_t len;
    const char *declared;
    const char *type;
    bool is_other; /* than what was said */
} looks[] = {
    {BYTES("plain words"), "", "text/plain", false},
    {BYTES("plain words"), "text/css", "text/css", false},
    {BYTES("plain words"), "image/png", "text/plain", true},
    {BYTES("%PDF-1.4\n"), "", "application/pdf", false},
    {BYTES("%PDF-1.4\n"), "application/octet-stream", "application/pdf", false},
    {BYTES("%PDF-1.4\n"), "image/png; x=y", "application/pdf", true},
    {BYTES("%PDF-1.4\n"), "text/plain", "application/pdf", true},
    {BYTES("\xff\xd8\xff\xe0\0\20JFIF\0\1\1"), "image/jpg", "image/jpeg", false},
    {BYTES("GIF89a\1\0\1\0\x80\0\0"), "image/webp", "image/gif", true},
    {BYTES(ARCHIVE), "application/epub+zip", "application/epub+zip", false},
    {BYTES(ARCHIVE), "application/pdf", "application/zip", true},
    {BYTES("\0\1\2\3\4\5"), "image/png", "image/png", false}, /* who knows */
    {BYTES("#!/bin/sh\necho\n"), "", "text/x-shellscript", false},
};

static void a_word_is_taken_unless_the_bytes_tell(void **)
{
    CLEANUP(media_types_freep) struct media_types *types = NULL;
    assert_int_equal(media_types_new(NULL, 0, &types, NULL), STATUS_OK);
    for (size_t i = 0; i < ARRAY_LEN(looks); i++) {
        char type[MEDIA_TYPE_SIZE];
        struct error error = {};
        const bytes head   = {.ptr = looks[i].head, .len = looks[i].len};
        status code       = media_type_look(types, head, str_from(looks[i].declared), type, &error);
        bool is_as_wanted = code == (looks[i].is_other ? STATUS_INVALID_ARGUMENT : STATUS_OK);
        if (!is_as_wanted || strcmp(type, looks[i].type) != 0) {
            fail_msg("%zu: %s, %s", i, type, error.text);
        }
    }
}

static void files_are_what_their_bytes_say(void **state)
{
    (void)state;
    CLEANUP(media_types_freep) struct media_types *types = NULL;
    unsigned wrong                                       = 0;
    assert_int_equal(media_types_new(NULL, 0, &types, NULL), STATUS_OK);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char type[MEDIA_TYPE_SIZE] = "";
        struct error error         = {};
        const bytes head           = {.ptr = rows[i].head, .len = rows[i].len};
        status code     = media_type_of(types, head, str_from(rows[i].declared), type, &error);
        const char *got = code == STATUS_OK ? type : error.code;
        if (strcmp(got, rows[i].type) != 0) {
            print_message("%zu: %s: %s %s\n", i, rows[i].declared, type, error.text);
        }
        wrong += strcmp(got, rows[i].type) != 0;
        assert_null(strchr(error.text, '\r'));
    }
    assert_int_equal(wrong, 0);
}

/* A name of any length fits. */
static void names_are_cut(void **state)
{
    (void)state;
    CLEANUP(media_types_freep) struct media_types *types = NULL;
    char declared[1'000];
    char type[MEDIA_TYPE_SIZE];
    memset(declared, 'a', sizeof declared);
    assert_int_equal(media_types_new(NULL, 0, &types, NULL), STATUS_OK);
    assert_int_equal(media_type_of(types, (bytes){.ptr = "words", .len = 5},
                                   (str){.ptr = declared, .len = sizeof declared}, type, NULL),
                     STATUS_INVALID_ARGUMENT);
}

/* What a configuration keeps, and what none may. */
static void others_may_be_kept(void **state)
{
    (void)state;
    static const char *const archives[] = {"application/zip", "text/markdown"};
    static const char *const wrong[]    = {
           "application/x-sharedlib", "text/x-shellscript", "picture", "image/PNG", "image/", "/png"};
    CLEANUP(media_types_freep) struct media_types *types = NULL;
    char type[MEDIA_TYPE_SIZE];
    const bytes archive = {.ptr = ARCHIVE, .len = sizeof ARCHIVE - 1};
    const bytes words   = {.ptr = "words", .len = 5};
    assert_int_equal(media_types_new(archives, ARRAY_LEN(archives), &types, NULL), STATUS_OK);
    assert_int_equal(media_type_of(types, archive, (str){}, type, NULL), STATUS_OK);
    assert_string_equal(type, "application/zip");
    assert_int_equal(media_type_of(types, words, str_from("text/markdown"), type, NULL), STATUS_OK);
    assert_int_equal(media_type_of(types, words, (str){}, type, NULL), STATUS_INVALID_ARGUMENT);
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct media_types *none = NULL;
        assert_int_equal(media_types_new(&wrong[i], 1, &none, NULL), STATUS_INVALID_ARGUMENT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_what_their_bytes_say),
        cmocka_unit_test(a_word_is_taken_unless_the_bytes_tell),
        cmocka_unit_test(others_may_be_kept),
        cmocka_unit_test(names_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
