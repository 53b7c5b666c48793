;; A component by itself: exports of its own that take long, and say how far they are.
(component
  (import "meld:host/jobs@0.1.0" (instance $jobs
    (export "report-progress" (func (param "done" u64) (param "total" u64) (param "text" string)))))
  (core module $memory (memory (export "memory") 1))
  (core instance $m (instantiate $memory))
  (core func $report (canon lower (func $jobs "report-progress") (memory $m "memory")))
  (core module $code
    (import "jobs" "report" (func $report (param i64 i64 i32 i32)))
    (func (export "count") (param $to i64) (result i64) (local $n i64)
      (loop $next
        (local.set $n (i64.add (local.get $n) (i64.const 1)))
        (call $report (local.get $n) (local.get $to) (i32.const 0) (i32.const 0))
        (br_if $next (i64.lt_u (local.get $n) (local.get $to))))
      (i64.mul (local.get $n) (i64.const 2)))
    (func (export "spin") (loop $again (br $again)))
    (func (export "trap") unreachable)
    (func (export "nothing")))
  (core instance $c (instantiate $code (with "jobs" (instance (export "report" (func $report))))))
  (func $count (param "to" u64) (result u64) (canon lift (core func $c "count")))
  (instance (export "test:counter/slow@1.0.0") (export "count" (func $count)))
  (func (export "spin") (canon lift (core func $c "spin")))
  (func (export "trap") (canon lift (core func $c "trap")))
  (func (export "nothing") (canon lift (core func $c "nothing"))))
