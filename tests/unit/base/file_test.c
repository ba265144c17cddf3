/* Whole files, within their bounds, and writes that take more than one call. */
#include "base/file.h"

#include "cmocka.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

enum { LARGE = 1 << 20 }; /* bytes; a pipe holds less */

struct reading {
    int fd;
    size_t size;
};

static void *read_all(void *context)
{
    struct reading *reading = context;
    char piece[4096];
    for (ssize_t got; (got = read(reading->fd, piece, sizeof piece)) > 0;) {
        reading->size += (size_t)got;
    }
    return NULL;
}

static void test_all_of_it_is_written(void **)
{
    int ends[2];
    pthread_t thread;
    char *data = calloc(1, LARGE);
    assert_non_null(data);
    assert_int_equal(pipe(ends), 0);
    struct reading reading = {.fd = ends[0]};
    assert_int_equal(pthread_create(&thread, NULL, read_all, &reading), 0);
    assert_true(file_write(ends[1], (bytes){data, LARGE}));
    assert_true(file_write(ends[1], (bytes){}));
    assert_int_equal(close(ends[1]), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(close(ends[0]), 0);
    assert_int_equal(reading.size, LARGE);
    free(data);
}

static void test_a_write_that_fails_says_so(void **)
{
    int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_false(file_write(fd, (bytes){"x", 1}));
    assert_int_equal(errno, ENOSPC);
    assert_int_equal(close(fd), 0);
}

static void test_files_are_read_within_bounds(void **)
{
    char path[]        = "/tmp/tutti-file-XXXXXX";
    int fd             = mkstemp(path);
    struct error error = {};
    assert_true(fd >= 0);
    assert_true(file_write(fd, (bytes){"hello", 5}));
    assert_int_equal(close(fd), 0);

    CLEANUP(buf_done) struct buf whole = buf_init(16);
    assert_int_equal(file_read(path, &whole, &error), STATUS_OK);
    assert_string_equal(whole.ptr, "hello");
    CLEANUP(buf_done) struct buf small = buf_init(4);
    assert_int_equal(file_read(path, &small, &error), STATUS_RESOURCE_EXHAUSTED);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(file_read(path, &whole, &error), STATUS_NOT_FOUND);
    assert_int_equal(file_read("/", &whole, &error), STATUS_UNAVAILABLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_of_it_is_written),
        cmocka_unit_test(test_a_write_that_fails_says_so),
        cmocka_unit_test(test_files_are_read_within_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
