/* The log alone: what is appended is read back, and nothing else is. */
#include "store/wal.h"

#include "cmocka.h"

#include "base/attr.h"
#include "support/folder.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bytes of(const char *text)
{
    return (bytes){text, strlen(text)};
}

static struct wal_base base_of(uint64_t commit)
{
    static const char keep[] = "two pages in front of a file";
    return (struct wal_base){.commit = commit, .keep = of(keep)};
}

/* Begins a log behind whatever there is, as a process does after one that was killed. */
static struct wal *begin(const struct folder *folder, uint64_t commit)
{
    CLEANUP(wal_past_freep) struct wal_past *past = NULL;
    struct wal *wal                               = NULL;
    const struct wal_base base                    = base_of(commit);
    assert_int_equal(wal_past_read(folder->path, &past, NULL), STATUS_OK);
    assert_int_equal(wal_open(folder->path, past, &base, &wal, NULL), STATUS_OK);
    return wal;
}

static void append(struct wal *wal, uint64_t commit, const char *text)
{
    assert_int_equal(wal_append(wal, commit, of(text), NULL), STATUS_OK);
}

static void turn(struct wal *wal, uint64_t commit)
{
    const struct wal_base base = base_of(commit);
    assert_int_equal(wal_turn(wal, &base, NULL), STATUS_OK);
}

/* "7: 8=text 9=text": the base and what is behind it. */
static const char *read_back(const struct folder *folder)
{
    static char text[1024];
    CLEANUP(wal_past_freep) struct wal_past *past = NULL;
    status read                                   = wal_past_read(folder->path, &past, NULL);
    if (read == STATUS_DATA_LOSS) return "lost";
    assert_int_equal(read, STATUS_OK);
    if (!past) return "none";
    const struct wal_base base = wal_past_base(past);
    const struct wal_base kept = base_of(0);
    struct wal_record record   = {};
    assert_int_equal(base.keep.len, kept.keep.len);
    assert_memory_equal(base.keep.ptr, kept.keep.ptr, kept.keep.len);
    int len = snprintf(text, sizeof text, "%d:", (int)base.commit);
    while (wal_past_next(past, &record)) {
        len += snprintf(text + len, sizeof text - (size_t)len, " %d=%.*s", (int)record.commit,
                        (int)record.payload.len, (const char *)record.payload.ptr);
    }
    assert_false(wal_past_next(past, &record));
    return text;
}

/* Changes a byte of a file: `at` from its beginning. */
static void damage(const struct folder *folder, const char *name, off_t at)
{
    const struct folder path = folder_join(folder, name);
    uint8_t byte             = 0;
    int fd                   = open(path.path, O_RDWR | O_CLOEXEC);
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= 0x40;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    close(fd);
}

enum { MARKS_AT = 4096 + 512, RECORDS_AT = MARKS_AT + 4 * 512, FRAME = 40, SMALL = FRAME + 8 };

/* --- tests ------------------------------------------------------------------------------------ */

static void what_was_appended_is_read_back(void **)
{
    CLEANUP(folder_remove) struct folder folder = folder_new();
    assert_string_equal(read_back(&folder), "none");
    struct wal *wal = begin(&folder, 7);
    assert_string_equal(read_back(&folder), "7:");
    append(wal, 8, "a");
    append(wal, 9, "");
    append(wal, 10, "three");
    assert_string_equal(read_back(&folder), "7: 8=a 9= 10=three");
    assert_true(wal_turn_bytes(wal) > 0);
    wal_close(wal);
    assert_string_equal(read_back(&folder), "7: 8=a 9= 10=three");

    wal = begin(&folder, 10); /* the next process has done them again */
    assert_string_equal(read_back(&folder), "10:");
    append(wal, 11, "x");
    assert_string_equal(read_back(&folder), "10: 11=x");
    assert_int_equal(wal_remove(wal, NULL), STATUS_OK);
    assert_string_equal(read_back(&folder), "none");
    wal_close(NULL);
}

static void a_base_counts_when_it_is_settled(void **)
{
    CLEANUP(folder_remove) struct folder folder = folder_new();
    struct wal *wal                             = begin(&folder, 1);
    append(wal, 2, "a");
    turn(wal, 2);
    assert_string_equal(read_back(&folder), "1: 2=a");
    assert_int_equal(wal_turn_bytes(wal), 0);
    append(wal, 3, "b");
    assert_string_equal(read_back(&folder), "1: 2=a 3=b");
    assert_int_equal(wal_settle(wal, NULL), STATUS_OK);
    assert_string_equal(read_back(&folder), "2: 3=b");
    append(wal, 4, "c");
    turn(wal, 4);
    assert_string_equal(read_back(&folder), "2: 3=b 4=c");
    assert_int_equal(wal_settle(wal, NULL), STATUS_OK);
    assert_string_equal(read_back(&folder), "4:");
    wal_close(wal);
}

static void what_was_taken_back_is_left_out(void **)
{
    CLEANUP(folder_remove) struct folder folder = folder_new();
    struct wal *wal                             = begin(&folder, 1);
    append(wal, 2, "no");
    assert_int_equal(wal_take_back(wal, 2, NULL), STATUS_OK);
    assert_string_equal(read_back(&folder), "1:");
    append(wal, 2, "yes");
    append(wal, 3, "no");
    assert_int_equal(wal_take_back(wal, 3, NULL), STATUS_OK);
    turn(wal, 2);
    append(wal, 3, "yes");
    assert_string_equal(read_back(&folder), "1: 2=yes 3=yes");
    wal_close(wal);
}

/* The files are used again, and what stood there has the right length, place and number. */
static void what_an_earlier_log_has_left_is_no_record(void **)
{
    CLEANUP(folder_remove) struct folder folder = folder_new();
    for (int life = 0; life < 3; life++) {
        struct wal *wal = begin(&folder, 1);
        turn(wal, 1);
        for (uint64_t i = 0; i < 5 - 2 * (uint64_t)life; i++) append(wal, 2 + i, "same");
        wal_close(wal);
    }
    assert_string_equal(read_back(&folder), "1: 2=same");

    struct wal *wal = begin(&folder, 1);
    for (int round = 0; round < 4; round++) {
        for (uint64_t i = 0; i < 5; i++) append(wal, 2 + i, "same");
        turn(wal, 1);
        assert_int_equal(wal_settle(wal, NULL), STATUS_OK);
        assert_string_equal(read_back(&folder), "1:");
    }
    wal_close(wal);
}

/* A last record that is not whole was never acknowledged; one in front of others was. */
static void a_record_that_is_not_whole_is_the_end(void **)
{
    static const off_t places[] = {0, 8, 12, 16, 24, FRAME, FRAME + 3};
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        CLEANUP(folder_remove) struct folder folder = folder_new();
        struct wal *wal                             = begin(&folder, 1);
        append(wal, 2, "four");
        append(wal, 3, "four");
        append(wal, 4, "four");
        wal_close(wal);
        damage(&folder, "wal.0", RECORDS_AT + 2 * SMALL + places[i]);
        assert_string_equal(read_back(&folder), "1: 2=four 3=four");
        damage(&folder, "wal.0", RECORDS_AT + 2 * SMALL + places[i]);
        assert_string_equal(read_back(&folder), "1: 2=four 3=four 4=four");
        damage(&folder, "wal.0", RECORDS_AT + SMALL + places[i]);
        assert_string_equal(read_back(&folder), "lost");
    }
}

static void a_damaged_record_is_named_with_its_place(void **)
{
    CLEANUP(folder_remove) struct folder folder   = folder_new();
    CLEANUP(wal_past_freep) struct wal_past *past = NULL;
    struct error error                            = {};
    struct wal *wal                               = begin(&folder, 1);
    append(wal, 2, "a");
    append(wal, 3, "b");
    turn(wal, 3);
    append(wal, 4, "c");
    append(wal, 5, "d");
    wal_close(wal);
    damage(&folder, "wal.1", RECORDS_AT);
    assert_int_equal(wal_past_read(folder.path, &past, &error), STATUS_DATA_LOSS);
    assert_non_null(strstr(error.text, "behind byte 6656 of "));
    assert_non_null(strstr(error.text, "/wal.1,"));
}

static void a_second_file_that_does_not_follow_is_data_loss(void **)
{
    CLEANUP(folder_remove) struct folder folder = folder_new();
    struct wal *wal                             = begin(&folder, 1);
    append(wal, 2, "a");
    append(wal, 3, "b");
    turn(wal, 3);
    append(wal, 4, "c");
    wal_close(wal);
    damage(&folder, "wal.0", RECORDS_AT + SMALL + 8);
    assert_string_equal(read_back(&folder), "lost");
}

static void a_head_that_is_not_whole_is_none(void **)
{
    CLEANUP(folder_remove) struct folder folder = folder_new();
    struct wal *wal                             = begin(&folder, 1);
    append(wal, 2, "a");
    turn(wal, 2);
    append(wal, 3, "never acknowledged, for the head was not there");
    damage(&folder, "wal.1", 4096 + 3); /* its base */
    assert_string_equal(read_back(&folder), "1: 2=a");
    wal_close(wal);
    damage(&folder, "wal.0", 40);
    assert_string_equal(read_back(&folder), "lost");
}

/* The base before may be gone, so it is not what is left when the newer head is damaged. */
static void a_head_that_was_whole_is_missed(void **)
{
    for (int is_settled = 0; is_settled < 2; is_settled++) {
        CLEANUP(folder_remove) struct folder folder = folder_new();
        struct wal *wal                             = begin(&folder, 1);
        append(wal, 2, "a");
        turn(wal, 2);
        if (is_settled) assert_int_equal(wal_settle(wal, NULL), STATUS_OK);
        append(wal, 3, "b");
        if (!is_settled) append(wal, 4, "c");
        wal_close(wal);
        damage(&folder, "wal.1", 40);
        assert_string_equal(read_back(&folder), "lost");
    }
}

static void a_mark_stands_twice(void **)
{
    CLEANUP(folder_remove) struct folder folder = folder_new();
    struct wal *wal                             = begin(&folder, 1);
    append(wal, 2, "a");
    turn(wal, 2);
    assert_int_equal(wal_settle(wal, NULL), STATUS_OK);
    wal_close(wal);
    damage(&folder, "wal.1", MARKS_AT);
    assert_string_equal(read_back(&folder), "2:");
    damage(&folder, "wal.1", MARKS_AT + 512);
    assert_string_equal(read_back(&folder), "1: 2=a");
}

/* A process that was killed has left it; the next one goes on behind its last record. */
static void a_log_goes_on(void **)
{
    CLEANUP(folder_remove) struct folder folder   = folder_new();
    CLEANUP(wal_past_freep) struct wal_past *past = NULL;
    struct wal *wal                               = begin(&folder, 1);
    append(wal, 2, "a");
    append(wal, 3, "b");
    wal_close(wal);
    assert_int_equal(wal_past_read(folder.path, &past, NULL), STATUS_OK);
    assert_int_equal(wal_resume(folder.path, past, &wal, NULL), STATUS_OK);
    assert_string_equal(read_back(&folder), "1: 2=a 3=b");
    append(wal, 4, "c");
    assert_string_equal(read_back(&folder), "1: 2=a 3=b 4=c");
    turn(wal, 4);
    append(wal, 5, "d");
    wal_close(wal);
    wal_past_free(TAKE(past));
    assert_int_equal(wal_past_read(folder.path, &past, NULL), STATUS_OK);
    assert_int_equal(wal_resume(folder.path, past, &wal, NULL), STATUS_FAILED_PRECONDITION);
}

static void doubt_lasts_until_the_log_begins_anew(void **)
{
    CLEANUP(folder_remove) struct folder folder   = folder_new();
    CLEANUP(wal_past_freep) struct wal_past *past = NULL;
    struct wal *wal                               = begin(&folder, 1);
    append(wal, 2, "a");
    turn(wal, 2);
    wal_doubt(wal);
    wal_close(wal);
    assert_int_equal(wal_past_read(folder.path, &past, NULL), STATUS_OK);
    assert_true(wal_past_is_doubted(past));
    assert_string_equal(read_back(&folder), "1: 2=a");
    wal_close(begin(&folder, 2));
    wal_past_free(TAKE(past));
    assert_int_equal(wal_past_read(folder.path, &past, NULL), STATUS_OK);
    assert_false(wal_past_is_doubted(past));
}

static void large_records_fit(void **)
{
    enum { LARGE = 3 << 20 };
    static char large[LARGE];
    CLEANUP(folder_remove) struct folder folder   = folder_new();
    CLEANUP(wal_past_freep) struct wal_past *past = NULL;
    struct wal *wal                               = begin(&folder, 1);
    struct wal_record record                      = {};
    memset(large, 'x', sizeof large);
    append(wal, 2, "small");
    assert_int_equal(wal_append(wal, 3, (bytes){large, LARGE}, NULL), STATUS_OK);
    assert_int_equal(wal_append(wal, 4, (bytes){large, LARGE - 3}, NULL), STATUS_OK);
    append(wal, 5, "small");
    assert_int_equal(wal_append(wal, 6, (bytes){large, (size_t)WAL_PAYLOAD_MAX + 1}, NULL),
                     STATUS_RESOURCE_EXHAUSTED);
    wal_close(wal);
    assert_int_equal(wal_past_read(folder.path, &past, NULL), STATUS_OK);
    for (uint64_t commit = 2; commit <= 5; commit++) {
        assert_true(wal_past_next(past, &record));
        assert_int_equal(record.commit, commit);
        if (commit == 3) assert_int_equal(record.payload.len, LARGE);
        if (commit == 4) assert_memory_equal(record.payload.ptr, large, LARGE - 3);
    }
    assert_false(wal_past_next(past, &record));
}

/* Any bytes in the two files: refused or read, and nothing is read beyond them. */
static void noise_is_no_log(void **)
{
    CLEANUP(folder_remove) struct folder folder = folder_new();
    const struct folder path                    = folder_join(&folder, "wal.0");
    for (size_t size = 0; size < 20'000; size += 777) {
        char noise[20'000];
        memset(noise, 0x5a, sizeof noise);
        int fd = open(path.path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        assert_int_equal(write(fd, noise, size), size);
        close(fd);
        assert_string_equal(read_back(&folder), size == 0 ? "none" : "lost");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_appended_is_read_back),
        cmocka_unit_test(a_base_counts_when_it_is_settled),
        cmocka_unit_test(what_was_taken_back_is_left_out),
        cmocka_unit_test(what_an_earlier_log_has_left_is_no_record),
        cmocka_unit_test(a_record_that_is_not_whole_is_the_end),
        cmocka_unit_test(a_damaged_record_is_named_with_its_place),
        cmocka_unit_test(a_second_file_that_does_not_follow_is_data_loss),
        cmocka_unit_test(a_head_that_is_not_whole_is_none),
        cmocka_unit_test(a_head_that_was_whole_is_missed),
        cmocka_unit_test(a_mark_stands_twice),
        cmocka_unit_test(a_log_goes_on),
        cmocka_unit_test(doubt_lasts_until_the_log_begins_anew),
        cmocka_unit_test(large_records_fit),
        cmocka_unit_test(noise_is_no_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
