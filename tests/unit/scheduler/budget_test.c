/* The account of one budget. */
#include "scheduler/budget/budget.h"

#include "base/attr.h"
#include "cmocka.h"

static void test_budget_of_one(void **)
{
    static const struct {
        const char *name;
        struct budget budget;
        struct call_estimate call;
        enum budget_answer answer;
        struct spend amount;
    } cases[] = {
        {"no limit", {}, {5, 5, false, 0, 0}, BUDGET_FITS, {}},
        {"fits", {.limit = {10, 0}}, {4, 6, false, 0, 0}, BUDGET_FITS, {10, 0}},
        {"one too many", {.limit = {10, 0}}, {5, 6, false, 0, 0}, BUDGET_SPENT, {}},
        {"waits", {{10, 0}, {2, 0}, {3, 0}}, {4, 2, false, 0, 0}, BUDGET_WAITS, {}},
        {"spent", {{10, 0}, {5, 0}, {3, 0}}, {4, 2, false, 0, 0}, BUDGET_SPENT, {}},
        {"overspent", {{10, 0}, {50, 0}, {3, 0}}, {0, 1, false, 0, 0}, BUDGET_SPENT, {}},
        {"no maximum", {.limit = {10'000, 0}}, {4, -1, false, 0, 0}, BUDGET_FITS, {4'100, 0}},
        {"no maximum, less left", {.limit = {10, 0}}, {4, -1, false, 0, 0}, BUDGET_FITS, {10, 0}},
        {"no room for an answer", {.limit = {10, 0}}, {10, -1, false, 0, 0}, BUDGET_SPENT, {}},
        {"money", {.limit = {0, 10}}, {2, 3, true, 1'000, 2'000}, BUDGET_FITS, {0, 8}},
        {"money is rounded up", {.limit = {0, 10}}, {1, 1, true, 1, 1}, BUDGET_FITS, {0, 1}},
        {"too dear", {.limit = {0, 7}}, {2, 3, true, 1'000, 2'000}, BUDGET_SPENT, {}},
        {"no price: all that is left",
         {{0, 10}, {0, 3}, {0, 2}},
         {2, 3, false, 0, 0},
         BUDGET_FITS,
         {0, 5}},
        {"no price, nothing left",
         {{0, 10}, {0, 3}, {0, 7}},
         {2, 3, false, 0, 0},
         BUDGET_WAITS,
         {}},
        {"no price, spent", {{0, 10}, {0, 10}, {}}, {2, 3, false, 0, 0}, BUDGET_SPENT, {}},
        {"free of charge", {{0, 10}, {0, 20}, {}}, {2, 3, true, 0, 0}, BUDGET_FITS, {}},
        {"the worse of both", {{10, 10}, {9, 0}, {}}, {2, 3, true, 0, 0}, BUDGET_SPENT, {}},
        {"does not wrap",
         {.limit = {INT64_MAX, INT64_MAX}},
         {INT64_MAX, INT64_MAX, true, INT64_MAX, INT64_MAX},
         BUDGET_FITS,
         {INT64_MAX, INT64_MAX / 1'000 + 1}},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct spend amount       = {};
        enum budget_answer answer = budget_ask(&cases[i].budget, &cases[i].call, &amount);
        bool is_right             = answer == cases[i].answer;
        if (answer == BUDGET_FITS) {
            is_right = is_right && amount.tokens == cases[i].amount.tokens &&
                       amount.nanos == cases[i].amount.nanos;
        }
        if (!is_right) print_error("%s\n", cases[i].name);
        assert_true(is_right);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_budget_of_one)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
