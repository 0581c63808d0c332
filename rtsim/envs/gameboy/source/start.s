; Entry point, vertical-blank interrupt and the two copies that must fit into a vertical blank.
; Arguments as sdcc passes them on the sm83: first pointer in DE, second in BC.
	.module start
	.globl _main
	.globl _tick

	.area _HEADER (ABS)
	.org 0x40                ; vertical blank
	jp on_vblank
	.org 0x48                ; the other interrupts are never enabled
	reti
	.org 0x100
	nop
	jp begin
	.org 0x150
begin:
	di
	ld sp, #0xE000
	ld hl, #0xC000           ; work RAM starts as zeros, whatever was in it
	ld bc, #0x2000
clear:
	xor a, a
	ld (hl+), a
	dec bc
	ld a, b
	or a, c
	jr nz, clear
	call _main
stop:
	jr stop

on_vblank:
	push af
	ld a, #1
	ld (_tick), a
	pop af
	reti

	.area _HOME
	.area _CODE
	.area _INITIALIZER
	.area _GSINIT
	.area _GSFINAL
	.area _DATA
	.area _INITIALIZED
	.area _BSS
	.area _HEAP

	.area _HOME
; void wait_vblank(void): sleeps until the next vertical blank begins.
_wait_vblank::
	xor a, a
	ld (_tick), a
sleep:
	halt
	nop
	ld a, (_tick)
	or a, a
	jr z, sleep
	ret

; void copy_row(uint8_t *to, const uint8_t *from): 20 bytes, 6 machine cycles each.
_copy_row::
	ld h, d
	ld l, e
	.rept 20
	ld a, (bc)
	inc bc
	ld (hl+), a
	.endm
	ret

; void copy_sprites(const uint8_t *from): the 16 bytes of four sprites into OAM.
_copy_sprites::
	ld hl, #0xFE00
	.rept 16
	ld a, (de)
	inc de
	ld (hl+), a
	.endm
	ret
