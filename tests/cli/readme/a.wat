;; The same, written for a log of no version.
(component
  (import "demo:log/log" (instance $log (export "write" (func (param "x" u32) (result u32)))))
  (core func $write (canon lower (func $log "write")))
  (core module $m
    (import "" "write" (func $write (param i32) (result i32)))
    (func (export "f") (param i32) (result i32) local.get 0 call $write i32.const 1 i32.add))
  (core instance $i (instantiate $m (with "" (instance (export "write" (func $write))))))
  (func $f (param "x" u32) (result u32) (canon lift (core func $i "f")))
  (export "f" (func $f))
  (instance $handler (export "handle" (func $f)))
  (export "demo:http/handler" (instance $handler)))
