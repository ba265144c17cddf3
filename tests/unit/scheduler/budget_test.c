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

static void test_room(void **)
{
    static const struct {
        const char *name;
        struct budget budget;
        struct spend amount, room;
    } cases[] = {
        {"no limit", {}, {}, {-1, -1}},
        {"nothing is set aside", {.limit = {10, 0}}, {}, {0, -1}},
        {"its own", {{10, 20}, {2, 3}, {5, 6}}, {4, 1}, {4, 1}},
        {"overspent", {{10, 20}, {50, 30}, {4, 1}}, {4, 1}, {4, 1}},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct spend room = budget_room(&cases[i].budget, cases[i].amount);
        bool is_right = room.tokens == cases[i].room.tokens && room.nanos == cases[i].room.nanos;
        if (!is_right) print_error("%s\n", cases[i].name);
        assert_true(is_right);
    }
    struct spend least = spend_least((struct spend){-1, 4}, (struct spend){7, 3});
    assert_true(least.tokens == 7 && least.nanos == 3);
    least = spend_least((struct spend){0, -1}, (struct spend){7, -1});
    assert_true(least.tokens == 0 && least.nanos == -1);
}

/* An answer that has grown: what is missing is drawn, or what is left. */
static void test_more(void **)
{
    static const struct {
        const char *name;
        struct budget budget;
        struct call_estimate call;
        struct spend amount, more;
    } cases[] = {
        {"no limit", {}, {5, 10, true, 1'000, 1'000}, {}, {0, 0}},
        {"what is missing",
         {{100, 0}, {20, 0}, {30, 0}},
         {5, 30, .is_priced = true},
         {15, 0},
         {20, 0}},
        {"what is left",
         {{100, 0}, {20, 0}, {70, 0}},
         {5, 30, .is_priced = true},
         {15, 0},
         {10, 0}},
        {"nothing is left",
         {{100, 0}, {20, 0}, {80, 0}},
         {5, 30, .is_priced = true},
         {15, 0},
         {0, 0}},
        {"it was said before",
         {{100, 0}, {20, 0}, {35, 0}},
         {5, 30, .is_priced = true},
         {35, 0},
         {0, 0}},
        {"money, rounded up", {{0, 100}, {}, {0, 10}}, {1, 3, true, 1'000, 1'500}, {0, 4}, {0, 2}},
        {"of both kinds", {{100, 100}, {}, {10, 10}}, {10, 10, true, 0, 5'000}, {10, 10}, {10, 40}},
        {"all that is left, of no price",
         {{0, 100}, {0, 60}, {0, 10}},
         {1, 3, .is_priced = false},
         {0, 10},
         {0, 30}},
        {"overspent", {{10, 10}, {50, 50}, {4, 4}}, {1, 9, true, 0, 1'000}, {4, 4}, {0, 0}},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct spend more = budget_more(&cases[i].budget, &cases[i].call, cases[i].amount);
        bool is_right = more.tokens == cases[i].more.tokens && more.nanos == cases[i].more.nanos;
        if (!is_right) print_error("%s\n", cases[i].name);
        assert_true(is_right);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_budget_of_one),
                                       cmocka_unit_test(test_room), cmocka_unit_test(test_more)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
