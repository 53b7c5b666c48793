;; Gates: calls of async functions that wait to start, because the instance that they call asked for that.
;;
;; A gate is a cell (`waitables.wat`) of an instance that uses `backpressure.*`:
;;
;;   +0  how often callers were asked to wait, and not yet let in again
;;   +4  tasks that wait to start: a ring
;;   +48 8 while it is in the ring of what is ready, where its link is +56
;;
;; A task that waits here has 16 at +48, the gate at +52, and its arguments from +88 on. A caller that waits on its stack
;; has a ticket in its place, a cell with flag 1024 at +36, whose state (+24) becomes 1.
;;
;; An opened gate lets them in one after the other, first come first served, from the pump: each may close it again. Until
;; all are in, whoever comes later waits behind them.
(module
  (import "handles" "memory" (memory 4))
  (import "waitables" "new-cell" (func $cell.new (result i32)))
  (import "waitables" "push" (func $ring.push (param i32 i32)))
  (import "waitables" "pop" (func $ring.pop (param i32) (result i32)))
  (import "waitables" "notify" (func $notify (param i32 i32)))
  (import "emitted" "start" (func $start (param i32)))
  (import "trap" "backpressure out of range" (func $trap_range))

  ;; canon backpressure.inc.
  (func $inc (export "inc") (param $gate i32)
    (if (i32.eq (i32.load (local.get $gate)) (i32.const 0xFFFF)) (then (call $trap_range) unreachable))
    (i32.store (local.get $gate) (i32.add (i32.load (local.get $gate)) (i32.const 1))))

  ;; canon backpressure.dec.
  (func $dec (export "dec") (param $gate i32)
    (if (i32.eqz (i32.load (local.get $gate))) (then (call $trap_range) unreachable))
    (i32.store (local.get $gate) (i32.sub (i32.load (local.get $gate)) (i32.const 1)))
    ;; The last one lets them in.
    (if (i32.eqz (i32.load (local.get $gate)))
      (then
        (if (i32.load offset=4 (local.get $gate))
          (then
            (if (i32.eqz (i32.load offset=48 (local.get $gate)))
              (then
                (i32.store offset=48 (local.get $gate) (i32.const 8))
                (call $ring.push (i32.const 0x04) (i32.add (local.get $gate) (i32.const 56))))))))))

  ;; Whether a call must wait here; 0 stands for a gate that nobody has used.
  (func $closed (export "closed") (param $gate i32) (result i32)
    (if (i32.eqz (local.get $gate)) (then (return (i32.const 0))))
    (i32.or (i32.load (local.get $gate)) (i32.load offset=4 (local.get $gate))))

  ;; A task waits: STARTING.
  (func $wait (export "wait") (param $gate i32) (param $task i32)
    (i32.store offset=24 (local.get $task) (i32.const 0))
    (i32.store offset=48 (local.get $task) (i32.const 16))
    (i32.store offset=52 (local.get $task) (local.get $gate))
    (call $ring.push
      (i32.add (local.get $gate) (i32.const 4))
      (i32.add (local.get $task) (i32.const 56))))

  ;; A caller waits on its stack: its ticket.
  (func $ticket (export "ticket") (param $gate i32) (result i32)
    (local $ticket i32)
    (local.set $ticket (call $cell.new))
    (i32.store offset=36 (local.get $ticket) (i32.const 1024))
    (call $wait (local.get $gate) (local.get $ticket))
    local.get $ticket)

  ;; The pump has come to the gate: the first one starts, the others have their turn next.
  (func $step (export "step") (param $gate i32)
    (local $link i32) (local $task i32)
    (i32.store offset=48 (local.get $gate) (i32.const 0))
    (if (i32.load (local.get $gate)) (then (return)))
    (local.set $link (call $ring.pop (i32.add (local.get $gate) (i32.const 4))))
    (if (i32.eqz (local.get $link)) (then (return)))
    (if (i32.load offset=4 (local.get $gate))
      (then
        (i32.store offset=48 (local.get $gate) (i32.const 8))
        (call $ring.push (i32.const 0x04) (i32.add (local.get $gate) (i32.const 56)))
        ;; In a ring, behind the last is before the first.
        (i32.store (i32.const 0x04) (i32.add (local.get $gate) (i32.const 56)))))
    (local.set $task (i32.sub (local.get $link) (i32.const 56)))
    (i32.store offset=48 (local.get $task) (i32.const 0))
    (i32.store offset=24 (local.get $task) (i32.const 1))
    (if (i32.and (i32.load offset=36 (local.get $task)) (i32.const 1024)) (then (return)))
    (call $notify (local.get $task) (i32.const 1))
    (call $start (local.get $task))))
