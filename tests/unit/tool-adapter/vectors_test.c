/* The sums of vectors. */
#include "tool-adapter/memory/vectors.h"

#include "base/attr.h"
#include "cmocka.h"

#include <math.h>

static void sums_like_the_plain_loop(void **state)
{
    (void)state;
    float a[200];
    float b[200];
    vector_dot_fn *dot = vector_dot_of();
    for (size_t i = 0; i < ARRAY_LEN(a); i++) {
        a[i] = sinf((float)i);
        b[i] = cosf((float)(i * 3));
    }
    for (size_t count = 0; count <= ARRAY_LEN(a); count++) {
        assert_true(fabsf(dot(a, b, count) - vector_dot_plain(a, b, count)) < 1e-4F);
    }
    assert_true(vector_normalise(a, ARRAY_LEN(a)));
    assert_true(fabsf(dot(a, a, ARRAY_LEN(a)) - 1) < 1e-5F);
    float bad[] = {NAN, 1};
    assert_false(vector_normalise(bad, 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(sums_like_the_plain_loop)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
