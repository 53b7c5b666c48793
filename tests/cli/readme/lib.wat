;; A library: a log, and a pool of connections, which are numbers.
(component
  (type $conn_in (resource (rep i32)))
  (core func $new (canon resource.new $conn_in))
  (core module $m
    (import "" "new" (func $new (param i32) (result i32)))
    (func (export "write") (param i32) (result i32) local.get 0 i32.const 2 i32.mul)
    (func (export "open") (result i32) i32.const 7 call $new))
  (core instance $i (instantiate $m (with "" (instance (export "new" (func $new))))))
  (func $write (param "x" u32) (result u32) (canon lift (core func $i "write")))
  (instance $log (export "write" (func $write)))
  (export "demo:log/log@1.2.0" (instance $log))
  (func $open (result (own $conn_in)) (canon lift (core func $i "open")))
  (component $Pool
    (import "conn-in" (type $c (sub resource)))
    (import "open-in" (func $o (result (own $c))))
    (export $conn "conn" (type $c))
    (export "open" (func $o) (func (result (own $conn)))))
  (instance $pool (instantiate $Pool (with "conn-in" (type $conn_in)) (with "open-in" (func $open))))
  (export "demo:db/pool" (instance $pool)))
