/* What every cmocka test needs, in the order cmocka wants its headers. */
#ifndef ADIT_TESTS_UNIT_H
#define ADIT_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define RUN_TESTS(tests) cmocka_run_group_tests((tests), NULL, NULL)

#define assert_ok(expression) assert_int_equal((expression), OK)

#endif
