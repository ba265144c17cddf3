/* Mathematics: the C library's functions, and those that keep integers exact. */
#include "expr/builtins.h"
#include "expr/numbers.h"

#include <math.h>

static bool is_number(struct expr_run *vm, json value)
{
    if (json_is_number(value)) return true;
    (void)vm_raise_type(vm, value, "number required");
    return false;
}

json native_math(struct expr_run *vm, json *args)
{
    if (!is_number(vm, args[0])) return json_invalid();
    return json_real(vm->builtin->real(json_number(args[0])));
}

/* Functions of two arguments do not look at their input. */
json native_math2(struct expr_run *vm, json *args)
{
    if (!is_number(vm, args[1]) || !is_number(vm, args[2])) return json_invalid();
    return json_real(vm->builtin->real2(json_number(args[1]), json_number(args[2])));
}

double math_lgamma(double x)
{
    int sign = 0;
    return lgamma_r(x, &sign);
}

/* --- rounding: an integer is its own -----------------------------------------------------------
 */

static json round_with(struct expr_run *vm, json value, double (*function)(double))
{
    if (!is_number(vm, value)) return json_invalid();
    if (value.kind == JSON_INT) return value;
    json rounded  = json_real(function(value.real));
    int64_t whole = 0;
    bool is_exact = fabs(rounded.real) < 0x1p53 && json_to_int(rounded, &whole) &&
                    !(whole == 0 && signbit(rounded.real));
    return is_exact ? json_int(whole) : rounded;
}

json native_floor(struct expr_run *vm, json *args)
{
    return round_with(vm, args[0], floor);
}

json native_ceil(struct expr_run *vm, json *args)
{
    return round_with(vm, args[0], ceil);
}

json native_round(struct expr_run *vm, json *args)
{
    return round_with(vm, args[0], round);
}

json native_trunc(struct expr_run *vm, json *args)
{
    return round_with(vm, args[0], trunc);
}

json native_fabs(struct expr_run *vm, json *args)
{
    return is_number(vm, args[0]) ? number_abs(args[0]) : json_invalid();
}

/* As jq defines it: what is below zero is negated, so a text passes as it is. */
json native_abs(struct expr_run *vm, json *args)
{
    if (json_is_number(args[0])) {
        bool is_minus_zero = args[0].kind == JSON_REAL && args[0].real == 0;
        return is_minus_zero ? args[0] : number_abs(args[0]);
    }
    if (args[0].kind < JSON_INT) return vm_raise_type(vm, args[0], "has no absolute value");
    return json_take(&args[0]);
}

/* --- kinds of numbers --------------------------------------------------------------------------
 */

json native_infinite(struct expr_run *vm, json *args)
{
    (void)vm;
    (void)args;
    return json_real(HUGE_VAL);
}

json native_nan(struct expr_run *vm, json *args)
{
    (void)vm;
    (void)args;
    return json_real((double)NAN);
}

json native_isinfinite(struct expr_run *vm, json *args)
{
    (void)vm;
    return json_bool(args[0].kind == JSON_REAL && isinf(args[0].real));
}

json native_isnan(struct expr_run *vm, json *args)
{
    (void)vm;
    return json_bool(args[0].kind == JSON_REAL && isnan(args[0].real));
}

json native_isnormal(struct expr_run *vm, json *args)
{
    (void)vm;
    return json_bool(json_is_number(args[0]) && isnormal(json_number(args[0])));
}

/* --- functions of other shapes -----------------------------------------------------------------
 */

static json pair(json first, json second)
{
    json both = json_array_new(2);
    json_array_push(&both, first);
    json_array_push(&both, second);
    return both;
}

json native_frexp(struct expr_run *vm, json *args)
{
    if (!is_number(vm, args[0])) return json_invalid();
    int exponent    = 0;
    double fraction = frexp(json_number(args[0]), &exponent);
    return pair(json_real(fraction), json_int(exponent));
}

json native_modf(struct expr_run *vm, json *args)
{
    if (!is_number(vm, args[0])) return json_invalid();
    double whole    = 0;
    double fraction = modf(json_number(args[0]), &whole);
    return pair(json_real(fraction), json_real(whole));
}

json native_lgamma_r(struct expr_run *vm, json *args)
{
    if (!is_number(vm, args[0])) return json_invalid();
    int sign     = 0;
    double value = lgamma_r(json_number(args[0]), &sign);
    return pair(json_real(value), json_int(sign));
}

json native_fma(struct expr_run *vm, json *args)
{
    for (size_t i = 1; i <= 3; i++) {
        if (!is_number(vm, args[i])) return json_invalid();
    }
    return json_real(fma(json_number(args[1]), json_number(args[2]), json_number(args[3])));
}

/* An int for the functions that take one; what is beyond becomes the end of its range. */
static int to_int(json number)
{
    double value = json_number(number);
    if (isnan(value)) return 0;
    return (int)fmin(fmax(value, (double)INT32_MIN), (double)INT32_MAX);
}

json native_ldexp(struct expr_run *vm, json *args)
{
    if (!is_number(vm, args[1]) || !is_number(vm, args[2])) return json_invalid();
    return json_real(ldexp(json_number(args[1]), to_int(args[2])));
}

json native_scalb(struct expr_run *vm, json *args)
{
    if (!is_number(vm, args[1]) || !is_number(vm, args[2])) return json_invalid();
    return json_real(json_number(args[1]) * exp2(json_number(args[2])));
}

/* The time of jn() and yn() grows with their order. */
enum { BESSEL_ORDER_MAX = 10'000 };

static bool bessel_order(struct expr_run *vm, json *args, int *ret_order)
{
    if (!is_number(vm, args[1]) || !is_number(vm, args[2])) return false;
    *ret_order = to_int(args[1]);
    if (*ret_order >= -BESSEL_ORDER_MAX && *ret_order <= BESSEL_ORDER_MAX) {
        return vm_spend(vm, BESSEL_ORDER_MAX / 10);
    }
    (void)vm_raise(vm, "order of a Bessel function is beyond %d", BESSEL_ORDER_MAX);
    return false;
}

json native_jn(struct expr_run *vm, json *args)
{
    int order = 0;
    if (!bessel_order(vm, args, &order)) return json_invalid();
    return json_real(jn(order, json_number(args[2])));
}

json native_yn(struct expr_run *vm, json *args)
{
    int order = 0;
    if (!bessel_order(vm, args, &order)) return json_invalid();
    return json_real(yn(order, json_number(args[2])));
}
