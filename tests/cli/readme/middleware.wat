;; Something in front of an application, which also offers a log.
(component
  (import "demo:http/handler" (instance $next (export "handle" (func (param "x" u32) (result u32)))))
  (core func $handle (canon lower (func $next "handle")))
  (core module $m
    (import "" "handle" (func $handle (param i32) (result i32)))
    (func (export "handle") (param i32) (result i32) local.get 0 call $handle)
    (func (export "write") (param i32) (result i32) local.get 0))
  (core instance $i (instantiate $m (with "" (instance (export "handle" (func $handle))))))
  (func $f (param "x" u32) (result u32) (canon lift (core func $i "handle")))
  (instance $handler (export "handle" (func $f)))
  (export "demo:http/handler" (instance $handler))
  (func $write (param "x" u32) (result u32) (canon lift (core func $i "write")))
  (instance $log (export "write" (func $write)))
  (export "demo:log/log@1.2.0" (instance $log)))
