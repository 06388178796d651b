"""Drawings of the external genitals from the front and below: data only, read by `drawing`."""

from __future__ import annotations

FEMALE = """
box 200 262
halves R
curve mt@100,10 64,13 ml@34,40 18,84 14,124 fb@24,166 44,214 72,242 bb@100,250
curve ml@34,40 48,66 ox@67,86
edge mo@100,48 80,58 ox@67,86 62,118 70,152 px@85,178 pc@100,187
edge n0@100,60 hx@91,72 84,104 86,136 nx@92,154 n1@100,168
curve hx@91,72 h1@94,82 hb@100,79
curve hb@100,79 95.6,84 v0@100,89
edge v0@100,89 94,99 vx@91.6,118 fx@94.6,140 v1@100,151
curve vx@91.6,118 t0@100,115
curve u0@100,101 97,104.6 u1@100,108
curve n1@100,168 91,169 px@85,178
curve px@85,178 80,194 pa@84,211 aL@91.6,214
curve a0@100,206 aL@91.6,214 a1@100,222
curve fb@24,166 56,178 px@85,178
line 100,208 100,220
line 95,210 98,213
mid 60944009 : mt ml ox mo
pair 128252004+73058008+60944009 : mo ox px n1 n0
mid 76723005+60944009 : n0 hx h1 hb
mid 29353003+60944009 : hb v0
pair 128253009+73058008+60944009 : hx nx fx v0 hb h1
pair 23213005+60944009 : v0 vx t0 u1 u0
mid 279479008+23213005 : u0 u1
mid 18857001+23213005 : t0 vx v1
mid 279867004+128253009 : v1 fx nx n1
mid 4019005+128252004 : n1 px pc
mid 48014002 : pc px pa aL a0
mid 59112000 : a0 aL a1
pair 73958006 : ml fb px ox
pair 22180002 : px fb bb a1 aL pa
"""

MALE = """
box 200 262
halves R
curve mt@100,10 64,13 ml@34,40 18,84 14,124 fb@24,166 44,216 72,244 bb@100,252
edge r0@85,60 sh@84.6,77 so@84.4,88 84.6,122 gl@83.6,144 82,152 85,166 92,175 g1@100,178
curve rt@100,58 92,57.6 r0@85,60
curve sh@84.6,77 92,81 sm@100,82
edge gl@83.6,144 91,149 gm@100,145
curve m0@100,166 97.4,169.6 m1@100,173
edge so@84.4,88 66,98 54,128 54,162 sp@66,188 84,198 sb@100,199
curve ml@34,40 60,60 so@84.4,88
curve fb@24,166 44,182 sp@66,188
curve sp@66,188 80,204 pa@84,215 aL@91.6,218
curve a0@100,210 aL@91.6,218 a1@100,226
line 100,180 100,198
line 100,212 100,224
mid 60944009 : mt ml so r0 rt
mid 244117002+35900000+60944009 : rt r0 sh sm
mid 244118007+35900000+60944009 : sm sh gl gm
pair 7991003+35900000+60944009 : gm gl g1 m1 m0
mid 279478000+7991003 : m0 m1
pair 81992007+60944009 : so sp sb g1 gl
mid 48014002 : sb sp pa aL a0
mid 59112000 : a0 aL a1
pair 73958006 : ml fb sp so
pair 22180002 : sp fb bb a1 aL pa
"""
