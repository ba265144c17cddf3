#include "base/mem.h"
#include "base/str.h"
#include "support/cmocka.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_new_and_resize(void **state)
{
    (void)state;
    unsigned char *memory = mem_new(10, 3);
    for (size_t i = 0; i < 30; i++) assert_int_equal(memory[i], 0);
    memset(memory, 7, 30);
    memory = mem_resize(memory, 1000, 3);
    for (size_t i = 0; i < 30; i++) assert_int_equal(memory[i], 7);
    memory = mem_resize(memory, 0, 3); /* still memory, still to be freed */
    assert_non_null(memory);
    free(memory);
    void *nothing = mem_new(0, 3);
    assert_non_null(nothing);
    free(nothing);
}

static void test_dup(void **state)
{
    (void)state;
    char *copy = mem_dup("a\0bc", 3);
    assert_memory_equal(copy, "a\0b", 4); /* with a NUL of its own */
    free(copy);
    copy = mem_dup(NULL, 0);
    assert_string_equal(copy, "");
    free(copy);
}

/* A product that overflows must not give a small block: the process ends. */
static void test_overflow(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            (void)close(STDERR_FILENO);
            volatile size_t huge = SIZE_MAX / 2 + 2;
            void *memory         = i == 0 ? mem_new(huge, 2) : mem_resize(NULL, huge, 2);
            free(memory);
            _exit(0);
        }
        int result = 0;
        assert_int_equal(waitpid(child, &result, 0), child);
        assert_int_not_equal(result, 0);
    }
}

static void test_str(void **state)
{
    (void)state;
    str text = str_from("hello");
    assert_true(str_is(str_slice(text, 1, 3), "el"));
    assert_true(str_is(str_slice(text, 3, 99), "lo"));
    assert_true(str_is(str_slice(text, 99, 3), ""));
    assert_int_equal(str_slice((str){}, 0, 5).len, 0);
    assert_true(str_equal((str){}, str_from("")));
    assert_false(str_is(text, "hell"));
    assert_true(str_starts_with(text, str_from("hell")));
    assert_true(str_starts_with(text, (str){}));
    assert_false(str_starts_with(str_from("hell"), text));
    assert_int_equal(bytes_from(text).len, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new_and_resize),
        cmocka_unit_test(test_dup),
        cmocka_unit_test(test_overflow),
        cmocka_unit_test(test_str),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
