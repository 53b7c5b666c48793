;; The smallest re-exporter chain: a definer, a re-exporter whose own resource wraps the definer's, a consumer that
;; knows the re-exporter alone. The rep of the re-exporter's resource is its handle to the definer's. The definer counts
;; its live resources, so that a destructor that ran too often, too seldom or not at all shows in `alive`.
(component
  (component $definer
    (core module $state
      (global $alive (mut i32) (i32.const 0))
      (func (export "born") (global.set $alive (i32.add (global.get $alive) (i32.const 1))))
      (func (export "dtor") (param i32) (global.set $alive (i32.sub (global.get $alive) (i32.const 1))))
      (func (export "alive") (result i32) (global.get $alive)))
    (core instance $state (instantiate $state))
    (type $thing' (resource (rep i32) (dtor (core func $state "dtor"))))
    (core func $new (canon resource.new $thing'))
    (core module $m
      (import "" "new" (func $new (param i32) (result i32)))
      (import "" "born" (func $born))
      (func (export "make") (param i32) (result i32) (call $born) (call $new (local.get 0)))
      (func (export "get") (param i32) (result i32) (local.get 0)))
    (core instance $i (instantiate $m (with "" (instance
      (export "new" (func $new)) (export "born" (func $state "born"))))))
    (export $thing "thing" (type $thing'))
    (func (export "make") (param "value" u32) (result (own $thing)) (canon lift (core func $i "make")))
    (func (export "get") (param "self" (borrow $thing)) (result u32) (canon lift (core func $i "get")))
    (func (export "alive") (result u32) (canon lift (core func $state "alive"))))

  (component $reexporter
    (import "thing" (type $inner (sub resource)))
    (import "make" (func $make (param "value" u32) (result (own $inner))))
    (import "get" (func $get (param "self" (borrow $inner)) (result u32)))
    (core func $make (canon lower (func $make)))
    (core func $get (canon lower (func $get)))
    (core func $drop (canon resource.drop $inner))
    (core module $state
      (import "" "drop" (func $drop (param i32)))
      (func (export "dtor") (param i32) (call $drop (local.get 0))))
    (core instance $state (instantiate $state (with "" (instance (export "drop" (func $drop))))))
    (type $outer' (resource (rep i32) (dtor (core func $state "dtor"))))
    (core func $new (canon resource.new $outer'))
    (core module $m
      (import "" "new" (func $new (param i32) (result i32)))
      (import "" "make" (func $make (param i32) (result i32)))
      (import "" "get" (func $get (param i32) (result i32)))
      (func (export "make") (param i32) (result i32) (call $new (call $make (local.get 0))))
      (func (export "get") (param i32) (result i32) (i32.add (call $get (local.get 0)) (i32.const 1))))
    (core instance $i (instantiate $m (with "" (instance
      (export "new" (func $new)) (export "make" (func $make)) (export "get" (func $get))))))
    (export $outer "thing" (type $outer'))
    (func (export "make") (param "value" u32) (result (own $outer)) (canon lift (core func $i "make")))
    (func (export "get") (param "self" (borrow $outer)) (result u32) (canon lift (core func $i "get"))))

  (component $consumer
    (import "thing" (type $thing (sub resource)))
    (import "make" (func $make (param "value" u32) (result (own $thing))))
    (import "get" (func $get (param "self" (borrow $thing)) (result u32)))
    (core func $make (canon lower (func $make)))
    (core func $get (canon lower (func $get)))
    (core func $drop (canon resource.drop $thing))
    (core module $m
      (import "" "make" (func $make (param i32) (result i32)))
      (import "" "get" (func $get (param i32) (result i32)))
      (import "" "drop" (func $drop (param i32)))
      (func (export "round") (param i32) (result i32)
        (local $handle i32) (local $value i32)
        (local.set $handle (call $make (local.get 0)))
        (local.set $value (i32.add (call $get (local.get $handle)) (call $get (local.get $handle))))
        (call $drop (local.get $handle))
        local.get $value)
      (func (export "keep") (param i32) (result i32) (call $make (local.get 0)))
      (func (export "look") (param i32) (result i32) (call $get (local.get 0)))
      (func (export "let-go") (param i32) (call $drop (local.get 0))))
    (core instance $i (instantiate $m (with "" (instance
      (export "make" (func $make)) (export "get" (func $get)) (export "drop" (func $drop))))))
    (func (export "round") (param "value" u32) (result u32) (canon lift (core func $i "round")))
    (func (export "keep") (param "value" u32) (result u32) (canon lift (core func $i "keep")))
    (func (export "look") (param "handle" u32) (result u32) (canon lift (core func $i "look")))
    (func (export "let-go") (param "handle" u32) (canon lift (core func $i "let-go"))))

  (instance $definer (instantiate $definer))
  (instance $reexporter (instantiate $reexporter
    (with "thing" (type $definer "thing")) (with "make" (func $definer "make")) (with "get" (func $definer "get"))))
  (instance $consumer (instantiate $consumer
    (with "thing" (type $reexporter "thing"))
    (with "make" (func $reexporter "make")) (with "get" (func $reexporter "get"))))
  (export "alive" (func $definer "alive"))
  (export "round" (func $consumer "round"))
  (export "keep" (func $consumer "keep"))
  (export "look" (func $consumer "look"))
  (export "let-go" (func $consumer "let-go")))
