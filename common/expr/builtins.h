/*
 * builtins: the functions that every expression may call.
 *
 * Three kinds, in one table sorted by name and arity: native ones in C; those written in the
 * language itself (prelude.c), compiled into a program that calls them; and those the compiler
 * makes instructions of. A fourth kind is excluded, and says why.
 *
 * A native function gets its input and arguments in `args`, owned by the caller; it may take any of
 * them with json_take(), arguments only if its entry says that it keeps them. It returns an owned
 * value, or JSON_INVALID after vm_raise(). It spends fuel for what it does beyond a constant.
 */
#ifndef EXPR_BUILTINS_H
#define EXPR_BUILTINS_H

#include "expr/vm.h"

enum builtin_kind { BUILTIN_NATIVE, BUILTIN_PRELUDE, BUILTIN_SPECIAL, BUILTIN_EXCLUDED };

/* What the compiler makes instructions of. */
enum special {
    SPECIAL_EMPTY,
    SPECIAL_ERROR,
    SPECIAL_FALSE,
    SPECIAL_FIRST,
    SPECIAL_GETPATH,
    SPECIAL_LAST,
    SPECIAL_NOT,
    SPECIAL_NULL,
    SPECIAL_ONE,
    SPECIAL_PATH,
    SPECIAL_RANGE,
    SPECIAL_TRUE,
};

struct builtin {
    const char *name;
    uint8_t arity;
    uint8_t kind;
    uint8_t special;
    bool keeps;       /* native: its arguments may become part of its result. Else it only looks. */
    bool has_pattern; /* native: its first arguments are a pattern and its flags */
    json (*call)(struct expr_run *vm, json *args);
    double (*real)(double); /* for native_math(), which finds it in vm->builtin */
    double (*real2)(double, double);
    const char *text; /* the definition, or why it is excluded */
};

/* NULL if there is none. */
const struct builtin *builtin_find(str name, uint32_t arity);
const struct builtin *builtin_at(uint32_t index);
uint32_t builtin_index(const struct builtin *builtin);

/* Whether there is one of that name with another arity. */
bool builtin_has_name(str name);

/* The name that is nearest to one that does not exist; NULL if none is near. */
const char *builtin_nearest(str name);

/* --- values, for operators too -----------------------------------------------------------------
 */

json value_to_text(struct expr_run *vm, json value); /* tostring */
json value_to_json(struct expr_run *vm, json value); /* tojson */

/* An empty text with room for so many bytes. INVALID: a budget ran out. */
json text_with_room(struct expr_run *vm, size_t size);
size_t text_size_of(json value); /* bytes to make room for; a guess */

/* Appends to a text that is being made: bytes, or a value as tostring has it. False: raised. */
bool text_put(struct expr_run *vm, json *text, str more);
bool text_put_value(struct expr_run *vm, json *text, json value);

json text_repeat(struct expr_run *vm, json text, double times);
json text_split(struct expr_run *vm, json text, json separator);
json object_merge(struct expr_run *vm, json a, json b);
json array_indices(struct expr_run *vm, json array, json needle);
json array_sort(struct expr_run *vm, json array, json keys);

/* Formats `value` as the @name does; INVALID with an error raised if there is no such format. */
json value_format(struct expr_run *vm, json value, str name);
bool format_exists(str name);

/* Options of a pattern from the letters of its flags, a text or null; false: there is no such. */
bool regex_flags_of(json letters, unsigned *ret_flags, bool *ret_is_global);

/* --- native functions, by file -----------------------------------------------------------------
 */

/* builtins_core.c */
json native_builtins(struct expr_run *vm, json *args);
json native_has(struct expr_run *vm, json *args);
json native_keys(struct expr_run *vm, json *args);
json native_keys_unsorted(struct expr_run *vm, json *args);
json native_length(struct expr_run *vm, json *args);
json native_type(struct expr_run *vm, json *args);
json native_contains(struct expr_run *vm, json *args);
json native_setpath(struct expr_run *vm, json *args);
json native_delpaths(struct expr_run *vm, json *args);
json native_have_decnum(struct expr_run *vm, json *args);
json native_have_literal_numbers(struct expr_run *vm, json *args);
json native_tostring(struct expr_run *vm, json *args);
json native_tojson(struct expr_run *vm, json *args);
json native_toboolean(struct expr_run *vm, json *args);
json native_tonumber(struct expr_run *vm, json *args);
json native_fromjson(struct expr_run *vm, json *args);

/* builtins_arrays.c, builtins_sort.c */
json native_toarray(struct expr_run *vm, json *args);
json native_add(struct expr_run *vm, json *args);
json native_flatten(struct expr_run *vm, json *args);
json native_flatten_to(struct expr_run *vm, json *args);
json native_reverse(struct expr_run *vm, json *args);
json native_to_entries(struct expr_run *vm, json *args);
json native_join(struct expr_run *vm, json *args);
json native_indices(struct expr_run *vm, json *args);
json native_sort(struct expr_run *vm, json *args);
json native_sort_by(struct expr_run *vm, json *args);
json native_group_by(struct expr_run *vm, json *args);
json native_unique(struct expr_run *vm, json *args);
json native_unique_by(struct expr_run *vm, json *args);
json native_min(struct expr_run *vm, json *args);
json native_max(struct expr_run *vm, json *args);
json native_min_by(struct expr_run *vm, json *args);
json native_max_by(struct expr_run *vm, json *args);
json native_bsearch(struct expr_run *vm, json *args);

/* builtins_strings.c */
json native_ascii(struct expr_run *vm, json *args);
json native_ascii_downcase(struct expr_run *vm, json *args);
json native_ascii_upcase(struct expr_run *vm, json *args);
json native_endswith(struct expr_run *vm, json *args);
json native_explode(struct expr_run *vm, json *args);
json native_implode(struct expr_run *vm, json *args);
json native_ltrim(struct expr_run *vm, json *args);
json native_ltrimstr(struct expr_run *vm, json *args);
json native_rtrim(struct expr_run *vm, json *args);
json native_rtrimstr(struct expr_run *vm, json *args);
json native_split(struct expr_run *vm, json *args);
json native_startswith(struct expr_run *vm, json *args);
json native_strindices(struct expr_run *vm, json *args);
json native_trim(struct expr_run *vm, json *args);
json native_trimstr(struct expr_run *vm, json *args);
json native_utf8bytelength(struct expr_run *vm, json *args);

/* builtins_format.c, builtins_regex.c */
json native_format(struct expr_run *vm, json *args);
json native_match(struct expr_run *vm, json *args);
json native_gaps(struct expr_run *vm, json *args);
json native_split_regex(struct expr_run *vm, json *args);

/* builtins_dates.c */
json native_gmtime(struct expr_run *vm, json *args);
json native_mktime(struct expr_run *vm, json *args);
json native_now(struct expr_run *vm, json *args);
json native_strflocaltime(struct expr_run *vm, json *args);
json native_strftime(struct expr_run *vm, json *args);
json native_strptime(struct expr_run *vm, json *args);

/* builtins_math.c */
double math_lgamma(double x); /* the library's own writes a global */
json native_abs(struct expr_run *vm, json *args);
json native_ceil(struct expr_run *vm, json *args);
json native_fabs(struct expr_run *vm, json *args);
json native_floor(struct expr_run *vm, json *args);
json native_fma(struct expr_run *vm, json *args);
json native_frexp(struct expr_run *vm, json *args);
json native_infinite(struct expr_run *vm, json *args);
json native_isinfinite(struct expr_run *vm, json *args);
json native_isnan(struct expr_run *vm, json *args);
json native_isnormal(struct expr_run *vm, json *args);
json native_jn(struct expr_run *vm, json *args);
json native_ldexp(struct expr_run *vm, json *args);
json native_lgamma_r(struct expr_run *vm, json *args);
json native_math(struct expr_run *vm, json *args);
json native_math2(struct expr_run *vm, json *args);
json native_modf(struct expr_run *vm, json *args);
json native_nan(struct expr_run *vm, json *args);
json native_round(struct expr_run *vm, json *args);
json native_scalb(struct expr_run *vm, json *args);
json native_trunc(struct expr_run *vm, json *args);
json native_yn(struct expr_run *vm, json *args);

#endif
